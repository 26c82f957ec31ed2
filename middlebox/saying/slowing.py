"""What slows a flow down, in plain English."""

from __future__ import annotations

from middlebox.action import Count, Delay, Freeze, Lose, Lost, Police, Shape, Share, Slow, Slowing
from middlebox.grammar.rates import amount_text, rate_text
from middlebox.grammar.units import share_text, time_text, times_text
from middlebox.verdict import Direction

_PER = {
    Share.FLOW: "each flow for itself",
    Share.CLIENT: "all matching flows of a client together",
    Share.SERVER: "all matching flows to a server together",
    Share.TWO: "all matching flows between a client and a server together",
    Share.CLASS: "all flows that the rule matches together",
}
_LOST = {Lost.ANY: "packets", Lost.DATA: "packets with payload", Lost.ACKS: "TCP acknowledgements without payload"}
_COUNT = {
    Count.EITHER: "of either direction",
    Count.BOTH: "of both directions together",
    Count.TO_SERVER: "from the client",
    Count.TO_CLIENT: "from the server",
}


def slowing_text(action: Slowing) -> str:
    """What an action does to the flow, as the end of "it ..."."""
    if isinstance(action, Freeze):
        return (
            f"lets {amount_text(action.amount)} {_COUNT[action.count]} pass, then drops all that follows in the flow, "
            "both ways, without a reset"
        )
    if isinstance(action, Police):
        doing = f"polices the flow to {_rate(action)} with a burst of {_bytes(action.burst)}: what exceeds it is lost"
        return f"{doing} ({_PER[action.per]}, {_which(action)})"
    if isinstance(action, Shape):
        doing = f"shapes the flow to {_rate(action)}: what exceeds it waits, up to {amount_text(action.queue)}"
        return f"{doing} ({_PER[action.per]}, {_which(action)})"
    if isinstance(action, Delay):
        order = ", which may overtake each other," if action.reorder else ""
        return f"delays the packets of the flow{order} by {times_text(action.delay_ns)} ({_which(action)})"
    assert isinstance(action, Lose)
    if action.word == "degrade":
        passing = round(100 - 100 * action.share)
        return (
            f"degrades the flow to a capacity of {passing}: of 100 packets {passing} pass, at random ({_which(action)})"
        )
    return f"loses {share_text(action.share)} of the flow's {_LOST[action.what]} at random ({_which(action)})"


def _rate(action: Police | Shape) -> str:
    if action.ramp is None:
        return rate_text(action.rate)
    start, over = rate_text(action.ramp.start), time_text(action.ramp.over_ns)
    return f"{rate_text(action.rate)} (from {start} within {over} of waking)"


def _bytes(count: int) -> str:
    return f"{count:,} bytes"


def _which(action: Slow) -> str:
    """The directions and the part of the flow."""
    if len(action.directions) == len(Direction):
        words = "each direction"
    else:
        words = "toward the server only" if Direction.TO_SERVER in action.directions else "toward the client only"
    if action.after is not None:
        words += f", after the first {amount_text(action.after)} of a direction"
    if action.until is not None:
        words += f", until a direction has had {amount_text(action.until)}"
    return words
