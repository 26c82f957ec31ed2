"""One stream of chance for each part of a simulation, found by its name.

So the numbers that a link draws do not depend on what other links there are, or on who draws first.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def stream(seed: int, name: str) -> Random:
    """A generator of its own for the part of this name, such as "link isp>client"."""
    return Random(blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest())
