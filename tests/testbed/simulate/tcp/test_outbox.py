"""Bytes that wait to be sent."""

from __future__ import annotations

from testbed.simulate.tcp.outbox import Outbox


def test_bytes_come_out_in_order_and_the_end_with_the_last() -> None:
    outbox = Outbox()
    outbox.write(b"abc")
    assert outbox.take(2) == (b"ab", False)
    outbox.write(b"def")
    outbox.ended = True
    assert outbox.size == 4
    assert outbox.take(3) == (b"cde", False)
    assert outbox.take(1) == (b"f", True)
    assert not outbox.ended


def test_an_end_may_stand_alone() -> None:
    outbox = Outbox()
    outbox.ended = True
    assert outbox.take(0) == (b"", True)


def test_nothing_is_left_after_clearing() -> None:
    outbox = Outbox()
    outbox.write(b"abc")
    outbox.ended = True
    outbox.clear()
    assert (outbox.size, outbox.ended) == (0, False)
