"""What the censor answers: a verdict on one packet, packets to inject, and the fate of the rest of the flow.

Values only; nothing here decides, sends or logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


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


class Decision(NamedTuple):
    """What happens to one packet and why; a named tuple, because there is one for every packet."""

    number: int  #: the packet's number, from 0, in the order in which the censor was given it
    t_ns: int  #: when the censor was given it
    verdict: Verdict
    flow: str = ""  #: "tcp 10.0.0.1:40000>203.0.113.5:443", initiator first; "" if it belongs to none
    rule: str = ""  #: the rule that decided; "" if none did
    action: str = ""  #: the rule's action in the words of the policy file
    reason: str = ""  #: one sentence for people
    injected: tuple[Emission, ...] = ()
    rewritten: bytes | None = None  #: the packet to forward instead; only with PASS
    release_ns: int = 0  #: only with HOLD
    disposition: Disposition = Disposition.INSPECT
    policed_by: str = ""  #: only with POLICE: the rule whose only slowing lies on the flow
    #: flows that must be asked about again from now on, whatever disposition they were given: they are remembered now
    revokes: tuple[Ends, ...] = ()

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
