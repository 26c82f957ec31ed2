"""What several workers say of themselves, as if one box said it.

Counts are added. Of shares and times the worst counts: a packet met one worker, so the box did no worse than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: figures of which the greatest is the box's
_WORST = frozenset(
    (
        *("added_p50_s", "added_p99_s", "decide_p50_s", "decide_p99_s", "late_p99_s"),
        *("cpu_share", "seconds"),
    )
)
#: figures of which the least is
_LEAST = frozenset({"since", "receive_buffer", "queue"})


def together(said: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """One answer of several that have the same keys."""
    return {key: _one(key, [one.get(key) for one in said]) for key in said[0]}


def _one(key: str, values: Sequence[object]) -> object:
    given = [value for value in values if value is not None]
    if not given:
        return None
    if all(isinstance(value, bool) for value in given):
        return all(given)
    numbers = [value for value in given if isinstance(value, int | float)]
    if len(numbers) == len(given):
        if key in _WORST:
            return max(numbers)
        return min(numbers) if key in _LEAST else sum(numbers)
    inner = [value for value in given if isinstance(value, Mapping)]
    if len(inner) == len(given):
        names = dict.fromkeys(name for one in inner for name in one)
        return {name: _one(name, [one.get(name) for one in inner]) for name in names}
    return " and ".join(dict.fromkeys(map(str, given)))
