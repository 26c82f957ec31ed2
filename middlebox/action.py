"""What a rule does: immutable values, one class an action, and which of them a box on the path's side cannot do.

Nothing here acts; `censor` carries actions out, `forge` makes their packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from middlebox.ability import Ability, DnsInjector, Draw, Injector, Placement
from middlebox.forge import Unreachable
from middlebox.verdict import Direction


class Scope(Enum):
    """What a drop takes away."""

    PACKET = "packet"  #: the packet that matched
    FLOW = "flow"  #: it and all later packets of the flow, both directions
    TO_SERVER = "to-server"  #: it and all later packets of the flow from the client
    TO_CLIENT = "to-client"  #: all later packets of the flow from the server


@dataclass(frozen=True, slots=True)
class Pass:
    """Let the flow go: no later rule is asked about it."""

    word: str = "pass"


@dataclass(frozen=True, slots=True)
class Log:
    """Only write it down; the rules after it are still asked."""

    word: str = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Discard packets in silence."""

    scope: Scope = Scope.PACKET
    #: packets of the flow, either way, that still pass after the trigger (which passes too); None: drop at once
    after: Draw | None = None
    word: str = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inject:
    """Forge TCP segments that end the connection: RST (`word` "reset") or FIN (`word` "fin")."""

    injectors: tuple[Injector, ...]
    word: str = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Turn the server's later packets of the flow into RST+ACK, payload stripped (TSPU; Xue et al., IMC 2022)."""

    flags: int
    word: str = "rewrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDns:
    """Answer a DNS query in the resolver's name."""

    injectors: tuple[DnsInjector, ...]
    word: str = "dns"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHttp:
    """Answer an HTTP request in the server's name and close: a block page or a redirect."""

    response: bytes  #: the whole HTTP response
    injector: Injector  #: how its packets look
    word: str = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerIcmp:
    """Tell the sender by ICMP that the destination cannot be reached."""

    code: Unreachable
    source: bytes | None  #: the address that it comes from; None: the packet's own destination
    ttl: Draw
    word: str = "icmp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Forward the packet later."""

    delay_ns: Draw
    word: str = "hold"


class Share(Enum):
    """Which traffic of a rule's flows shares one bucket or one queue; each direction has its own."""

    FLOW = "flow"  #: each flow has its own
    CLIENT = "client"  #: all flows of a client address
    SERVER = "server"  #: all flows to a server address
    TWO = "2-tuple"  #: all flows between a client and a server address
    CLASS = "class"  #: all flows that the rule matches

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a call into Python for each look-up


class Count(Enum):
    """Which packets of a flow are counted until it freezes."""

    EITHER = "either"  #: each direction for itself; the first that has had its share freezes both
    BOTH = "both"  #: both directions together
    TO_SERVER = "to-server"
    TO_CLIENT = "to-client"


class Lost(Enum):
    """Which packets may be lost."""

    ANY = "any"
    DATA = "data"  #: with payload
    ACKS = "acks"  #: TCP acknowledgements without payload


@dataclass(frozen=True, slots=True)
class Amount:
    """So many packets of a flow, or so many bytes of its payload; counted from the packet that matched on."""

    packets: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        if (self.packets > 0) == (self.bytes > 0) or self.packets < 0 or self.bytes < 0:
            raise ValueError(f"{self.packets} packets and {self.bytes} bytes: one of the two, above 0, is expected")

    def reached(self, packets: int, size: int) -> bool:
        """True once this much has come."""
        return packets >= self.packets if self.packets else size >= self.bytes


@dataclass(frozen=True, slots=True)
class Ramp:
    """A rate that changes evenly from one value to the action's own, from when the rule wakes."""

    start: int  #: bytes a second
    over_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """What is done to the packets of a flow from the one that matched on, that one included."""

    directions: frozenset[Direction] = frozenset(Direction)
    after: Amount | None = None  #: so much of each direction passes before it begins
    until: Amount | None = None  #: it ends when a direction has had so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Police(Slow):
    """A token bucket: what exceeds the rate is lost (RFC 2475, 2.3.3.4)."""

    rate: int  #: bytes of IP packets a second
    burst: int  #: bytes; the bucket is full at first
    per: Share = Share.FLOW
    ramp: Ramp | None = None
    word: str = "police"

    @property
    def plain(self) -> bool:
        """True if the rate is all there is to it."""
        return self.after is None and self.until is None and self.ramp is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Slow):
    """A queue served at a rate: what exceeds the rate is late, and lost when the queue is full (RFC 2475, 2.3.3.3)."""

    rate: int  #: bytes of IP packets a second
    queue: Amount = Amount(packets=100)  #: what may wait
    per: Share = Share.FLOW
    ramp: Ramp | None = None
    word: str = "shape"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Slow):
    """Each packet goes on later."""

    delay_ns: Draw  #: drawn for each packet
    reorder: bool = False  #: let packets overtake each other when the delay varies
    word: str = "delay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lose(Slow):
    """Packets are lost at random (`word` "lose"), or down to a capacity of 0 to 100 ("degrade")."""

    share: float
    what: Lost = Lost.ANY
    word: str = "lose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(Slow):
    """So much passes, then nothing more in either direction, and no reset."""

    amount: Amount
    count: Count = Count.EITHER
    word: str = "freeze"


Slowing = Police | Shape | Delay | Lose | Freeze
Action = Pass | Log | Drop | Inject | Rewrite | AnswerDns | AnswerHttp | AnswerIcmp | Hold | Slowing

#: actions that take the packet itself into their hands
IN_PATH_ONLY = (Drop, Rewrite, Hold, Slow)


def unable(ability: Ability, action: Action) -> str | None:
    """Say why a box of this ability cannot do this, or None if it can."""
    if ability.placement is Placement.ON_PATH and isinstance(action, IN_PATH_ONLY):
        return (
            f"an on-path box sees a copy of the traffic and can only inject: it cannot {action.word}"
            " (use 'placement: in-path', or reset, fin, dns, http, icmp)"
        )
    return None


def toward_text(toward: frozenset[Direction]) -> str:
    """The words of a policy file for the ends that an injector sends to."""
    if len(toward) == len(Direction):
        return "both"
    return "client" if Direction.TO_CLIENT in toward else "server"
