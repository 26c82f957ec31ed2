"""Which packets need the way round by the second queue; how they arrive is in test_send."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP

from middlebox.drivers.unnumbered import has_no_number


@pytest.mark.parametrize(
    ("number", "flags", "expected"), [(0, 0, True), (0, "DF", False), (1, 0, False), (256, 0, False), (0, "MF", True)]
)
def test_only_number_0_without_df_is_replaced_by_the_kernel(number: int, flags: int | str, expected: bool) -> None:
    packet = bytes(IP(src="203.0.113.5", dst="10.0.0.1", id=number, flags=flags) / UDP(sport=53, dport=40000))
    assert has_no_number(packet) is expected
