"""What the censor answers: a verdict on one packet, packets to inject, and the fate of the rest of the flow.

Values only; nothing here decides, sends or logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple


class Verdict(Enum):
    """The fate of one packet."""

    PASS = "pass"  #: forward it (as it came, or as `Decision.rewritten`)
    DROP = "drop"  #: discard it
    HOLD = "hold"  #: keep it and forward it at `Decision.release_ns`


class Disposition(Enum):
    """The fate of all later packets of the flow, for a driver that can carry it out without the engine."""

    INSPECT = "inspect"  #: every packet must still be asked about
    PASS = "pass"  #: nothing in this policy can touch the flow any more
    DROP = "drop"  #: all of it is discarded, both directions
    #: it is policed, and in no other way touched, as the rule `Decision.policed_by` says; who cannot do just that asks
    POLICE = "police"


class Direction(Enum):
    """Which way a packet travels; the client is the sender of the flow's first packet."""

    TO_SERVER = "to-server"
    TO_CLIENT = "to-client"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a call into Python for each look-up

    @property
    def reverse(self) -> Direction:
        return Direction.TO_CLIENT if self is Direction.TO_SERVER else Direction.TO_SERVER


#: the members as names of their own: to read a name costs less than to look into an enumeration, for each packet
TO_SERVER: Final = Direction.TO_SERVER
TO_CLIENT: Final = Direction.TO_CLIENT


class Ends(NamedTuple):
    """The ends of one flow, or of many: an address of no bytes and a port of 0 stand for any."""

    client: bytes
    client_port: int
    server: bytes
    server_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """One packet that the censor adds, or a held packet that it lets go."""

    packet: bytes  #: from the IP header on
    at_ns: int  #: when it leaves the box
    toward: Direction  #: the end of the flow that it is sent to
    injector: str  #: which of the box's injectors made it; "" for a held packet
    #: the number of the held packet that is let go; -1 for an injected one
    releases: int = -1
    #: leave only after the packet that caused it: an on-path box cannot overtake what it has copied
    after_trigger: bool = False


class Named:
    """What a decision is about, when it is not given as text: a flow, whose text is made when somebody asks."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """ "tcp 10.0.0.1:40000>203.0.113.5:443", initiator first."""
        return ""


class Decision:
    """What happens to one packet and why. There is one for every packet, so nothing is made that nobody reads."""

    __slots__ = (
        *("_about", "action", "disposition", "injected", "number", "policed_by", "reason"),
        *("release_ns", "revokes", "rewritten", "rule", "t_ns", "verdict"),
    )

    def __init__(
        self,
        number: int,
        t_ns: int,
        verdict: Verdict,
        flow: str | Named = "",
        rule: str = "",
        action: str = "",
        reason: str = "",
        injected: tuple[Emission, ...] = (),
        rewritten: bytes | None = None,
        release_ns: int = 0,
        disposition: Disposition = Disposition.INSPECT,
        policed_by: str = "",
        revokes: tuple[Ends, ...] = (),
    ) -> None:
        self.number = number  #: the packet's number, from 0, in the order in which the censor was given it
        self.t_ns = t_ns  #: when the censor was given it
        self.verdict = verdict
        self._about = flow
        self.rule = rule  #: the rule that decided; "" if none did
        self.action = action  #: the rule's action in the words of the policy file
        self.reason = reason  #: one sentence for people
        self.injected = injected
        self.rewritten = rewritten  #: the packet to forward instead; only with PASS
        self.release_ns = release_ns  #: only with HOLD
        self.disposition = disposition
        self.policed_by = policed_by  #: only with POLICE: the rule whose only slowing lies on the flow
        #: flows that must be asked about again from now on, whatever disposition they were given: they are remembered
        self.revokes = revokes

    @property
    def flow(self) -> str:
        """ "tcp 10.0.0.1:40000>203.0.113.5:443", initiator first; "" if it belongs to none."""
        return self._about if isinstance(self._about, str) else self._about.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # the engine completes it before it hands it out

    def __repr__(self) -> str:
        return f"Decision{self._values()}"

    def _values(self) -> tuple[object, ...]:
        told = (self.number, self.t_ns, self.verdict, self.flow, self.rule, self.action, self.reason, self.injected)
        return (*told, self.rewritten, self.release_ns, self.disposition, self.policed_by, self.revokes)

    @property
    def simply_passed(self) -> bool:
        """True if an observer on the wire could not tell that the packet had met a censor, and no rule spoke."""
        return self.verdict is Verdict.PASS and not self.rule and not self.injected and self.rewritten is None

    def row(self, box: str) -> dict[str, str | int]:
        """The decision as one line of `decisions.jsonl`; the same keys from every driver."""
        return {
            "t_ns": self.t_ns,
            "box": box,
            "flow": self.flow,
            "packet": self.number,
            "rule": self.rule,
            "action": self.action,
            "verdict": self.verdict.value,
            "injected": len(self.injected),
            "reason": self.reason,
        }
