"""The words of the actions that slow a flow down: police, shape, delay, lose, degrade, freeze."""

from __future__ import annotations

from functools import partial

from middlebox.action import Amount, Count, Delay, Freeze, Lose, Lost, Police, Ramp, Shape, Share, Slowing
from middlebox.grammar.collection import Key, Record, key
from middlebox.grammar.rates import AMOUNT, RATE
from middlebox.grammar.shape import TRUTH, Context, Forms, Leaf, Mismatch, become, words
from middlebox.grammar.shape import Shape as Written
from middlebox.grammar.source import Mapping, Scalar
from middlebox.grammar.units import SHARE, SIZE, TIME, TIMES, whole
from middlebox.verdict import Direction

BOTH = frozenset(Direction)
#: bytes of the largest packet of an Ethernet, its IP header on: a smaller bucket never lets it pass
_WHOLE_PACKET = 1_500

DIRECTIONS: Leaf[frozenset[Direction]] = words(
    {
        "both": BOTH,
        "to-server": frozenset({Direction.TO_SERVER}),
        "to-client": frozenset({Direction.TO_CLIENT}),
    }
)
#: how people call whose traffic shares a bucket
_OTHER_NAMES = {
    "host": "client",
    "destination": "server",
    "connection": "flow",
    "application": "class",
    "rule": "class",
}
_SHARES: Leaf[Share] = words({one.value: one for one in Share})


def _share(node: Scalar) -> Share:
    if node.text in _OTHER_NAMES:
        raise Mismatch(f"write: {_OTHER_NAMES[node.text]}")
    return _SHARES.parse(node)


_PER: Leaf[Share] = Leaf(_SHARES.expected, _share, _SHARES.schema(), _SHARES.text)
_COUNT: Leaf[Count] = words({one.value: one for one in Count})
_LOST: Leaf[Lost] = words({one.value: one for one in Lost})

_RAMP: Record[Ramp] = Record(
    "ramp",
    (
        key("from", RATE, "the rate when the rule wakes", "start", required=True),
        key("over", TIME, "until the action's own rate is reached", "over_ns", required=True),
    ),
    Ramp,
    check=lambda values, node, context: _lasts(values, node, context),
)

#: the keys that every slowing has
_WHICH: tuple[Key, ...] = (
    key("direction", DIRECTIONS, "which way packets are slowed", "directions"),
    key("after", AMOUNT, "so much of a direction passes before it begins, the packet that matched included"),
    key("until", AMOUNT, "it ends when a direction has had so much, the packet that matched included"),
)
_SHARED: tuple[Key, ...] = (
    key("rate", RATE, "bits of IP packets a second, each direction", required=True),
    key("per", _PER, "whose traffic shares one: class is all that the rule matches"),
    key("ramp", _RAMP, "the rate changes evenly from another, from when the rule wakes"),
)


def _lasts(values: dict[str, object], node: Mapping, context: Context) -> None:
    if not values["over_ns"]:
        context.refuse(node.place, "a ramp over no time", "a time above 0", "without 'ramp' the rate holds at once")


def _ordered(values: dict[str, object], node: Mapping, context: Context) -> None:
    """Refuse one that ends before it begins."""
    after, until = values.get("after"), values.get("until")
    if isinstance(after, Amount) and isinstance(until, Amount):
        same = bool(after.packets) == bool(until.packets)
        if same and (until.packets, until.bytes) <= (after.packets, after.bytes):
            place = (node.get("until") or node).place
            context.refuse(place, "an 'until' that comes before 'after'", "a larger one, or one of the two alone")


def _police(rate: int, burst: int | None = None, **others: object) -> Slowing:
    """Without a burst the bucket holds one second of the rate, and a whole packet in any case."""
    return Police(rate=rate, burst=burst or max(rate, _WHOLE_PACKET), **others)  # type: ignore[arg-type]


_POLICE: Record[Slowing] = Record(
    "police",
    (
        *_SHARED,
        key("burst", SIZE, "what the bucket holds; left out: one second of the rate, at least 1500 B"),
        *_WHICH,
    ),
    _police,
    defaults={"per": Share.FLOW, "directions": BOTH},
    check=lambda values, node, context: _holds(values, node, context),
)


def _holds(values: dict[str, object], node: Mapping, context: Context) -> None:
    _ordered(values, node, context)
    burst = values.get("burst")
    if not isinstance(burst, int) or burst >= _WHOLE_PACKET:
        return
    place = (node.get("burst") or node).place
    if not burst:
        context.refuse(place, "a bucket that holds nothing", "a size above 0")
    else:
        context.warn(place, f"a bucket of {burst} B", f"at least {_WHOLE_PACKET} B: larger packets never pass this one")


_SHAPE: Record[Slowing] = Record(
    "shape",
    (*_SHARED, key("queue", AMOUNT, "what may wait; what finds it full is lost"), *_WHICH),
    Shape,
    defaults={"per": Share.FLOW, "directions": BOTH, "queue": Shape(rate=1).queue},
    check=_ordered,
)
_DELAY: Record[Slowing] = Record(
    "delay",
    (
        key(
            "by", TIMES, "how much later each packet goes on; a range is drawn from for each", "delay_ns", required=True
        ),
        key("reorder", TRUTH, "let packets overtake each other"),
        *_WHICH,
    ),
    Delay,
    defaults={"reorder": False, "directions": BOTH},
    check=_ordered,
)
_LOSE: Record[Slowing] = Record(
    "lose",
    (
        key("share", SHARE, "share of packets that is lost, at random", required=True),
        key("what", _LOST, "any packet, those with payload, or TCP acknowledgements without"),
        *_WHICH,
    ),
    Lose,
    defaults={"what": Lost.ANY, "directions": BOTH},
    check=_ordered,
)


def _capacity(node: Scalar) -> float:
    number = whole(node.text.strip())
    if number is None or node.quoted or number > 100:
        raise Mismatch("write it like: 5")
    if number == 100:
        raise Mismatch("100 loses nothing: leave the action out")
    return (100 - number) / 100


_CAPACITY: Leaf[float] = Leaf(
    "a capacity from 0 (nothing passes) to 99",
    _capacity,
    {"type": "integer", "minimum": 0, "maximum": 99},
    lambda share: round(100 - 100 * share),
)
_degrade = partial(Lose, word="degrade")
_DEGRADE: Record[Slowing] = Record(
    "degrade",
    (key("to", _CAPACITY, "of 100 packets so many pass, at random", "share", required=True), *_WHICH),
    _degrade,
    defaults={"directions": BOTH},
    check=_ordered,
)
_FREEZE: Record[Slowing] = Record(
    "freeze",
    (
        key("after", AMOUNT, "how much passes, the packet that matched included", "amount", required=True),
        key("count", _COUNT, "which packets count: of either direction, of both together, or of one"),
    ),
    Freeze,
    defaults={"count": Count.EITHER},
)

#: word -> how it is written, and what it does
SLOWINGS: dict[str, tuple[Written[Slowing], str]] = {
    "police": (
        Forms(scalar=become(RATE, lambda rate: _police(rate)), mapping=_POLICE),
        "lose what exceeds a rate (token bucket): 128 kbit/s, or {rate: ..., burst: 16 kB, per: flow}",
    ),
    "shape": (
        Forms(scalar=become(RATE, lambda rate: Shape(rate=rate)), mapping=_SHAPE),
        "hold back what exceeds a rate (a queue): 128 kbit/s, or {rate: ..., queue: 100 packets, per: flow}",
    ),
    "delay": (
        Forms(scalar=become(TIMES, lambda draw: Delay(delay_ns=draw)), mapping=_DELAY),
        "forward this packet and all that follow in its flow later: 200 ms, or 100-300 ms",
    ),
    "lose": (
        Forms(scalar=become(SHARE, lambda share: Lose(share=share)), mapping=_LOSE),
        "lose packets of the flow at random: 10 %, or {share: 10 %, what: acks}",
    ),
    "degrade": (
        Forms(scalar=become(_CAPACITY, lambda share: _degrade(share=share)), mapping=_DEGRADE),
        "lose packets of the flow down to a capacity of 0 to 99 in 100: 5",
    ),
    "freeze": (
        Forms(scalar=become(AMOUNT, lambda amount: Freeze(amount=amount)), mapping=_FREEZE),
        "let so much of the flow pass, then nothing more, and no reset: 25 packets, or {after: 16 kB, count: either}",
    ),
}
