"""Hours of the day and time zones, as they are written in a policy."""

from __future__ import annotations

import re

from middlebox.grammar.shape import Leaf, Mismatch, Schema
from middlebox.grammar.source import Scalar

_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def day_window(node: Scalar) -> tuple[int, int]:
    """Two times of day, in seconds after midnight."""
    found = _HOURS.fullmatch(node.text.strip())
    if not found:
        raise Mismatch("write it like: 08:00-20:00")
    numbers = [int(part) for part in found.groups()]
    begin, end = numbers[0] * 3600 + numbers[1] * 60, numbers[2] * 3600 + numbers[3] * 60
    if max(begin, end) > 86_400 or numbers[1] > 59 or numbers[3] > 59 or begin == 86_400:
        raise Mismatch("the hours run from 00:00 to 24:00")
    if begin == end:
        raise Mismatch("it is empty; for the whole day leave 'time' out")
    return begin, end


def _offset(node: Scalar) -> int:
    if node.text in ("UTC", "Z"):
        return 0
    found = re.fullmatch(r"([+-])(\d{1,2}):(\d{2})", node.text)
    if not found or int(found.group(2)) > 14 or int(found.group(3)) > 59:
        raise Mismatch("write it like: '+05:00'")
    seconds = int(found.group(2)) * 3600 + int(found.group(3)) * 60
    return -seconds if found.group(1) == "-" else seconds


def offset_text(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    return f"{sign}{abs(seconds) // 3600:02}:{abs(seconds) % 3600 // 60:02}" if seconds else "UTC"


OFFSET: Leaf[int] = Leaf(
    "the hours by which local time is ahead of UTC, such as '+05:00'",
    _offset,
    {"type": "string", "pattern": r"^(UTC|Z|[+-]\d{1,2}:\d{2})$"},
    offset_text,
)

WINDOW_SCHEMA: Schema = {"type": "string", "pattern": r"^\s*\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2}\s*$"}
