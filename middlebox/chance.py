"""Chance without state: each number follows from the seed and from words that say what it is for.

So the outcome for one flow does not depend on what else is on the wire, nor on the order of questions.
"""

from __future__ import annotations

from hashlib import blake2b

from middlebox.ability import Draw

_SCALE = 1 << 64


def number(seed: int, *words: str | int) -> int:
    """An even 64-bit number for this purpose."""
    text = "\0".join([str(seed), *map(str, words)])
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def fraction(seed: int, *words: str | int) -> float:
    """An even number from 0 up to, not including, 1."""
    return (number(seed, *words) >> 11) / (_SCALE >> 11)


def take(draw: Draw, seed: int, *words: str | int) -> int:
    """A number of the draw's range; the range's ends are included. What is mirrored is not drawn here."""
    if draw.low == draw.high:
        return draw.low
    return draw.low + number(seed, *words) % (draw.high - draw.low + 1)
