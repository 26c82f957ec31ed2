"""What single segments do to a connection that stands: resets, forgeries, overlaps, ends."""

from __future__ import annotations

import pytest

from middlebox.packet import ACK, FIN, RST, SYN
from testbed.simulate.tcp import Segment
from testbed.simulate.tcp.phase import Phase
from testbed.simulate.tcp.segment import MASK
from tests.testbed.simulate.tcp.pair import Pair, everything, said


def forged(pair: Pair, flags: int, *, shift: int = 0, ack_shift: int = 0, payload: bytes = b"") -> Segment:
    """A segment to the client, as if from the server; `shift`: from where the client expects the next byte."""
    machine = pair.client.machine
    seq = machine.reassembly.next_number + shift
    ack = machine.sender.una + ack_shift
    return Segment(443, 40_000, seq & MASK, ack & MASK, flags, 500, payload)


def test_a_reset_at_the_expected_number_ends_the_connection() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, RST))
    assert isinstance(pair.client.machine.error, ConnectionResetError)
    assert pair.client.phase is Phase.CLOSED


@pytest.mark.parametrize("shift", [1, 5_000, 60_000])
def test_a_reset_inside_the_window_is_challenged(shift: int) -> None:
    pair = Pair().open()
    pair.said.clear()
    pair.client.handle(forged(pair, RST, shift=shift))
    assert pair.client.phase is Phase.ESTABLISHED
    assert [segment.flags for segment in pair.sent_by("client")] == [ACK]
    assert pair.client.machine.challenged == 1


@pytest.mark.parametrize("shift", [-1, -5_000, 70_000])
def test_a_reset_outside_of_it_is_ignored(shift: int) -> None:
    pair = Pair().open()
    pair.said.clear()
    pair.client.handle(forged(pair, RST, shift=shift))
    assert pair.client.phase is Phase.ESTABLISHED
    assert pair.said == []


def test_a_reset_behind_what_came_early_ends_it_too() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, ACK, shift=1_000, payload=bytes(500)))
    pair.client.handle(forged(pair, RST, shift=1_500))
    assert pair.client.phase is Phase.CLOSED


def test_challenges_are_rare() -> None:
    pair = Pair().open()
    for _ in range(10):
        pair.client.handle(forged(pair, SYN))
    assert pair.client.machine.challenged == 1
    pair.clock.run_for(1)
    pair.client.handle(forged(pair, SYN))
    assert pair.client.machine.challenged == 2
    assert pair.client.phase is Phase.ESTABLISHED


def test_data_that_acknowledges_what_was_never_sent_is_not_believed() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, ACK, ack_shift=5_000, payload=b"forged"))
    assert pair.client.machine.inbox == []


def test_data_that_acknowledges_what_is_too_old_is_challenged() -> None:
    pair = Pair().open()
    pair.do(everything(pair.server), said(pair.client, bytes(300_000)), seconds=10)
    before = pair.client.machine.challenged
    pair.clock.run_for(1)
    pair.client.machine._most_window = 70_000
    pair.client.handle(forged(pair, ACK, ack_shift=-100_000, payload=b"forged"))
    assert pair.client.machine.challenged == before + 1
    assert pair.client.machine.inbox == []


def test_data_without_an_acknowledgement_is_not_taken() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, 0, payload=b"forged"))
    assert pair.client.machine.inbox == []


def test_injected_data_at_the_expected_number_is_taken_first() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, ACK, payload=b"forged"))
    pair.client.handle(forged(pair, ACK, shift=-6, payload=b"server's own"))
    assert b"".join(pair.client.machine.inbox) == b"forged's own"


def test_an_old_timestamp_is_not_taken() -> None:
    pair = Pair().open()
    segment = forged(pair, ACK, payload=b"old")
    segment.times = ((pair.client.machine.times.recent - 1_000) & MASK, 0)
    pair.client.handle(segment)
    assert pair.client.machine.inbox == []


def test_a_repeated_segment_is_told_of_as_a_duplicate() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, ACK, payload=b"once"))
    pair.said.clear()
    pair.client.handle(forged(pair, ACK, shift=-4, payload=b"once"))
    (answer,) = pair.sent_by("client")
    expected = pair.client.machine.reassembly.next_number & MASK
    assert answer.sacks == ((expected - 4, expected),)


def test_a_fin_that_comes_early_waits_for_what_is_before_it() -> None:
    pair = Pair().open()
    pair.client.handle(forged(pair, ACK | FIN, shift=3, payload=b"def"))
    assert not pair.client.machine.ended
    pair.client.handle(forged(pair, ACK, payload=b"abc"))
    assert pair.client.machine.ended
    assert pair.client.phase is Phase.CLOSE_WAIT
    assert b"".join(pair.client.machine.inbox) == b"abcdef"


def test_both_ends_close_and_the_first_one_waits() -> None:
    pair = Pair().open()
    pair.client.shutdown()
    pair.clock.run_for(0.2)
    assert (pair.client.phase, pair.server.phase) == (Phase.FIN_WAIT_2, Phase.CLOSE_WAIT)
    pair.server.shutdown()
    pair.clock.run_for(0.2)
    assert (pair.client.phase, pair.server.phase) == (Phase.TIME_WAIT, Phase.CLOSED)
    pair.clock.run_for(60)
    assert pair.client.phase is Phase.CLOSED


def test_both_may_close_at_once() -> None:
    pair = Pair().open()
    pair.client.shutdown()
    pair.server.shutdown()
    pair.clock.run_for(0.015)
    assert pair.client.phase is Phase.CLOSING
    pair.clock.run_for(0.2)
    assert pair.client.phase is pair.server.phase is Phase.TIME_WAIT


def test_each_packet_of_a_connection_has_its_ttl() -> None:
    pair = Pair().open()
    assert pair.client.ttl == 64
