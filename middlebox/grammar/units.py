"""Numbers with their units, ranges, percent, addresses, flags and bytes, as they are written in a policy.

A number that needs a unit and has none is refused: 2 of what? Inside, times are nanoseconds and sizes bytes.
"""

from __future__ import annotations

import re
from fractions import Fraction

from middlebox.ability import Draw
from middlebox.grammar.shape import Leaf, Mismatch, Schema
from middlebox.grammar.source import Form, Scalar

_TIMES = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}
_SIZES = {"B": 1, "kB": 1000, "MB": 10**6}
#: how people write units that we write otherwise
_OTHER_NAMES = {
    **dict.fromkeys(("nsec", "nanoseconds"), "ns"),
    **dict.fromkeys(("usec", "µs", "microseconds"), "us"),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("b", "byte"), "B"),
    **dict.fromkeys(("k", "kb", "kbyte", "kbytes"), "kB"),
    **dict.fromkeys(("mb", "mbyte", "mbytes"), "MB"),
}
#: digits of one number: more than any number of a policy needs, and few enough to reckon with
_DIGITS = 18
_NUMBER = rf"(\d{{1,{_DIGITS}}}(?:\.\d{{1,{_DIGITS}}})?)"
_ANY_UNIT = re.compile(rf"{_NUMBER}(?:\s*-\s*{_NUMBER})?\s*(\S*)")


def _pattern(units: str, *, range_: bool) -> str:
    many = r"(\s*-\s*\d+(\.\d+)?)?" if range_ else ""
    return rf"^\d+(\.\d+)?{many}\s*({units})$"


def _measure(node: Scalar, units: dict[str, int], example: str) -> tuple[int, int]:
    found = _ANY_UNIT.fullmatch(node.text.strip())
    if not found:
        raise Mismatch(f"write it like: {example}")
    low, high, unit = found.groups()
    if unit not in units:
        better = units.get(_OTHER_NAMES.get(unit.lower(), "")) and _OTHER_NAMES[unit.lower()]
        if unit and not better:
            raise Mismatch(f"write it like: {example}")
        number = node.text.strip()[: len(node.text.strip()) - len(unit)].strip()
        usual = "B" if units is _SIZES else example.split()[-1]
        raise Mismatch(f"which unit? write it like: {number} {better or usual}")
    scale = units[unit]
    first = int(Fraction(low) * scale)
    last = int(Fraction(high) * scale) if high else first
    if last < first:
        raise Mismatch(f"the range is empty; write: {high}-{low} {unit}")
    return first, last


def _one(node: Scalar, units: dict[str, int], example: str) -> int:
    low, high = _measure(node, units, example)
    if low != high:
        raise Mismatch("one value, not a range")
    return low


def time_text(nanoseconds: int) -> str:
    """A time in the largest unit that needs at most three decimals: "1.5 ms", "120 s"."""
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if nanoseconds >= scale and nanoseconds * 1000 % scale == 0:
            return f"{nanoseconds / scale:.3f}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{nanoseconds} ns" if nanoseconds else "0 s"


def size_text(count: int) -> str:
    return f"{count // 1000} kB" if count >= 1000 and count % 1000 == 0 else f"{count} B"


def share_text(share: float) -> str:
    return f"{share * 100:.6f}".rstrip("0").rstrip(".") + " %"


def times_text(draw: Draw) -> str:
    if draw.low == draw.high:
        return time_text(draw.low)
    low, high = time_text(draw.low), time_text(draw.high)
    if low.split()[1] == high.split()[1]:
        return f"{low.split()[0]}-{high}"
    return f"{low} to {high}"


TIME: Leaf[int] = Leaf(
    "a time with its unit (ns, us, ms, s, min, h) such as '120 s'",
    lambda node: _one(node, _TIMES, "120 s"),
    {"type": "string", "pattern": _pattern("ns|us|ms|s|min|h", range_=False)},
    time_text,
)

TIMES: Leaf[Draw] = Leaf(
    "a time such as '2 ms', or a range of times such as '1-3 ms'",
    lambda node: Draw(*_measure(node, _TIMES, "2 ms")),
    {"type": "string", "pattern": _pattern("ns|us|ms|s|min|h", range_=True)},
    times_text,
)


def _size(node: Scalar) -> int:
    if node.text.strip().endswith(" bytes"):
        return _one(Scalar(node.place, node.text.strip()[:-5] + "B"), _SIZES, "64 kB")
    return _one(node, _SIZES, "64 kB")


SIZE: Leaf[int] = Leaf(
    "a size with its unit (B or bytes, kB, MB) such as '64 kB'",
    _size,
    {"type": "string", "pattern": _pattern("B|kB|MB|bytes", range_=False)},
    size_text,
)


def _share(node: Scalar) -> float:
    found = re.fullmatch(rf"{_NUMBER}\s*%", node.text.strip())
    if not found:
        if node.form in (Form.INTEGER, Form.DECIMAL) and re.fullmatch(_NUMBER, node.text):
            number = Fraction(node.text)
            raise Mismatch(f"write: {share_text(float(number if number <= 1 and '.' in node.text else number / 100))}")
        raise Mismatch("write it like: 98 %")
    share = Fraction(found.group(1)) / 100
    if not 0 < share <= 1:
        raise Mismatch("it must lie above 0 % and up to 100 %")
    return float(share)


SHARE: Leaf[float] = Leaf(
    "a share such as '98 %'", _share, {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"}, share_text
)


def whole(text: str) -> int | None:
    """A whole number, decimal or hexadecimal ("0x8180"); None for anything else, and for one of too many digits."""
    if re.fullmatch(rf"[0-9]{{1,{_DIGITS}}}", text):
        return int(text)
    return int(text, 16) if re.fullmatch(rf"0x[0-9A-Fa-f]{{1,{_DIGITS}}}", text) else None


def integer(low: int, high: int | None = None, what: str = "a whole number") -> Leaf[int]:
    """A whole number within bounds."""
    bounds = f"{what} of at least {low}" if high is None else f"{what} from {low} to {high}"

    def parse(node: Scalar) -> int:
        negative = node.text.startswith("-")
        number = whole(node.text.removeprefix("-"))
        if node.quoted or number is None:
            raise Mismatch("write the number without quotes" if number is not None else "")
        number = -number if negative else number
        if number < low or (high is not None and number > high):
            raise Mismatch("")
        return number

    schema: Schema = {"type": "integer", "minimum": low}
    if high is not None:
        schema["maximum"] = high
    return Leaf(bounds, parse, schema, int)


def number_range(text: str) -> tuple[int, int] | None:
    first, dash, second = text.partition("-")
    low = whole(first.strip())
    high = whole(second.strip()) if dash else low
    return None if low is None or high is None else (low, high)


def _packets(node: Scalar) -> Draw:
    found = number_range(re.sub(r"\s*packets?$", "", node.text.strip()))
    if found is None:
        raise Mismatch("write it like: 5-8 packets")
    if found[0] > found[1]:
        raise Mismatch(f"the range is empty; write: {found[1]}-{found[0]} packets")
    if found[0] < 1:
        raise Mismatch("to drop at once, leave 'after' out")
    return Draw(*found)


PACKETS: Leaf[Draw] = Leaf(
    "a number of packets such as '5 packets' or '5-8 packets'",
    _packets,
    {"type": ["integer", "string"], "pattern": r"^\d+(\s*-\s*\d+)?(\s*packets?)?$"},
    lambda draw: f"{draw.low} packets" if draw.fixed else f"{draw.low}-{draw.high} packets",
)
