"""The packet at hand."""

from __future__ import annotations

from scapy.layers.inet import IP, TCP, UDP

from middlebox.packet import view
from middlebox.passing import Passing


def passing(packet: object, raw: bytes | None = None) -> Passing:
    data = bytes(packet)  # type: ignore[call-overload]
    seen = view(data)
    assert seen is not None
    return Passing(0, 0, seen.raw if raw is None else raw, seen, None)


def test_only_a_whole_segment_that_is_no_reset_can_be_rewritten() -> None:
    head = IP(src="10.0.0.1", dst="203.0.113.5")
    assert passing(head / TCP(flags="PA")).rewritable
    assert not passing(head / TCP(flags="R")).rewritable
    assert not passing(head / UDP()).rewritable
    assert not passing(head / TCP(flags="PA"), raw=b"a fragment of it").rewritable
    assert not passing(bytes(head / TCP(flags="PA"))[:30]).rewritable


def test_nothing_is_said_when_nobody_listens() -> None:
    one = passing(IP() / UDP())
    one.say("hello")
    assert one.said is None
