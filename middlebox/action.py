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


Action = Pass | Log | Drop | Inject | Rewrite | AnswerDns | AnswerHttp | AnswerIcmp | Hold

#: actions that take the packet itself into their hands
IN_PATH_ONLY = (Drop, Rewrite, Hold)


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
