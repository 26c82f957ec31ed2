"""One long transfer over HTTPS, down or up: the goodput of its steady part.

It ends with its size or, if the target says so, after some seconds of content, whichever comes first.
"""

from __future__ import annotations

from testbed.workload import MOST_BYTES, Ask, Observation, Target
from testbed.workloads.transfer import fetch, send, transfer


class Download:
    """`Target.size` bytes from the server (as much as it has, if that is 0)."""

    name = "download"
    about = "a long download over HTTPS"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return target.size or MOST_BYTES

    def measure(self, ask: Ask) -> Observation:
        return transfer(ask, [fetch(self.size(ask.target))])


class Upload:
    """`Target.size` bytes to the server, counted when they are acknowledged; the server confirms the whole."""

    name = "upload"
    about = "a long upload over HTTPS"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return target.size or MOST_BYTES

    def measure(self, ask: Ask) -> Observation:
        return transfer(ask, [send(self.size(ask.target))], sends=True)
