"""A page with what belongs to it, over one HTTPS connection: the time that a user waits.

One object after another, as over HTTP/1.1 with one connection; no browser, no caches, no second connection.
"""

from __future__ import annotations

from hashlib import sha256

from testbed.pages import page
from testbed.workload import Ask, Observation, Target
from testbed.workloads.transfer import Step, fetch, transfer

OBJECTS, OBJECT_BYTES = 6, 50_000  #: beside the page of 20 kB


class WebObject:
    """The page of the asked host, then its objects; `Target.size` changes the size of each object."""

    name = "web-object"
    about = f"a page of 20 kB and {OBJECTS} objects over one HTTPS connection"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return len(page(target.host)) + OBJECTS * (target.size or OBJECT_BYTES)

    def measure(self, ask: Ask) -> Observation:
        return transfer(ask, steps(ask.target))


def steps(target: Target) -> list[Step]:
    """The page, and its objects."""
    size = target.size or OBJECT_BYTES
    first = Step(path="/page", sha256=sha256(page(target.host).encode()).hexdigest())
    return [first, *(fetch(size, number * size) for number in range(OBJECTS))]
