"""The addresses that a subscriber's attempts come from, so that no attempt meets what another one has left behind.

It knows no network: which blocks there are, the topology says.
"""

from __future__ import annotations

import threading
from ipaddress import IPv4Network, IPv6Network


class Addresses:
    """Fresh addresses out of a subscriber's blocks; after the last one they begin anew, which `reused` counts.

    Safe for threads. The host's own first address is left out, since names are looked up from it.
    """

    def __init__(self, block4: IPv4Network, block6: IPv6Network, first4: str) -> None:
        self._block4, self._block6 = block4, block6
        self._first4 = first4
        self._there = block4.num_addresses - 2
        self._given = 0
        self._lock = threading.Lock()

    def fresh(self) -> tuple[str, str]:
        """An IPv4 and an IPv6 address."""
        with self._lock:
            while True:
                number = self._given % self._there + 1
                self._given += 1
                four = str(self._block4[number])
                if four != self._first4:
                    return four, str(self._block6[number + 1])

    @property
    def reused(self) -> int:
        return max(0, self._given - self._there)
