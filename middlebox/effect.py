"""Which actions can never have an effect on what a match holds on, as some act on TCP alone.

It says only what is certain for every packet; where a match leaves the transport open, it is silent. It sees no packet.
"""

from __future__ import annotations

from middlebox.action import Action, AnswerHttp, Inject, Log, Rewrite
from middlebox.dissect import DISSECTORS
from middlebox.fields import protocol_of
from middlebox.match import UNKNOWN, Look, Match

#: actions that forge or rewrite TCP segments
TCP_ALONE = (Inject, Rewrite, AnswerHttp)


class _AnyOf(Look):
    """A look at any packet of one transport whose flow speaks none of the `silent` protocols."""

    def __init__(self, transport: str, silent: frozenset[str]) -> None:
        self._transport = transport
        self._silent = silent

    def value(self, name: str) -> object:
        if name == "transport":
            return self._transport
        protocol = protocol_of(name)
        if protocol:
            spoken = self._transport in DISSECTORS[protocol].transports and protocol not in self._silent
            return UNKNOWN if spoken else None
        if name == "tcp.flags":
            return UNKNOWN if self._transport == "tcp" else None
        if name.endswith(".port") or name == "port.order":
            return UNKNOWN if self._transport in ("tcp", "udp") else None
        return UNKNOWN


def possible(match: Match, transport: str, silent: frozenset[str] = frozenset()) -> bool:
    """False if no packet of this transport can match, in a flow that speaks none of the `silent` protocols."""
    return match.test(_AnyOf(transport, silent)) is not False


def useless(match: Match, action: Action) -> str | None:
    """Say why an action never does anything to what matches, or None."""
    if not isinstance(action, TCP_ALONE):
        return None
    if not possible(match, "tcp"):
        return f"'{action.word}' acts on TCP alone, and no TCP packet can match here"
    if isinstance(action, AnswerHttp) and not possible(match, "tcp", frozenset({"dns"})):
        return "'http' answers whoever speaks HTTP, and only DNS can match here"
    return None


def mostly_useless(match: Match, actions: tuple[Action, ...]) -> Action | None:
    """The first action that leaves DNS over UDP alone, if only DNS can match and nothing else is done to it."""
    either = possible(match, "udp") and possible(match, "tcp")
    if not either or possible(match, "tcp", frozenset({"dns"})):
        return None
    doing = [action for action in actions if not isinstance(action, Log)]
    return doing[0] if doing and all(isinstance(action, TCP_ALONE) for action in doing) else None
