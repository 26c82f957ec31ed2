"""Where each segment is: in flight, lost, or with the other end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.simulate.tcp.scoreboard import Acked, Scoreboard, Sent

MS = 1_000_000


def board(count: int = 10, gap_ns: int = MS) -> Scoreboard:
    """Segments of 100 bytes, a millisecond apart."""
    scores = Scoreboard(0)
    for number in range(count):
        scores.add(Sent(100 * number, bytes(100), False), number * gap_ns)
    return scores


def acked(scores: Scoreboard, ack: int, *blocks: tuple[int, int], now: int = 100 * MS) -> Acked:
    found = Acked()
    scores.select(list(blocks), now, 0, 10_000, found)
    scores.acknowledge(ack, now, 0, 10_000, found)
    return found


def test_what_is_acknowledged_is_gone_and_what_is_selected_is_not_in_flight() -> None:
    scores = board()
    found = acked(scores, 200, (400, 600))
    assert (found.acked, found.sacked, scores.sacked, scores.delivered) == (2, 2, 2, 4)
    assert [sent.seq for sent in scores.in_flight] == [200, 300, 600, 700, 800, 900]
    again = acked(scores, 200, (400, 700))
    assert (again.acked, again.sacked, scores.sacked) == (0, 1, 3)


def test_a_segment_sent_a_round_trip_before_one_that_arrived_is_lost() -> None:
    scores = board()
    acked(scores, 0, (500, 600), now=45 * MS)  # a round trip of 40 ms
    lost, wait, again = scores.find_lost(45 * MS, 0)
    assert (lost, wait, again) == (5, 0, False)
    first = scores.first_lost()
    assert first is not None
    assert first.seq == 0


def test_with_patience_the_latest_are_waited_for() -> None:
    scores = board()
    acked(scores, 0, (500, 600), now=45 * MS)
    lost, wait, _ = scores.find_lost(45 * MS, 3 * MS)
    assert (lost, wait) == (3, 2 * MS)


def test_what_was_sent_again_and_lost_again_is_found() -> None:
    scores = board()
    acked(scores, 0, (500, 600), now=45 * MS)
    scores.find_lost(45 * MS, 0)
    first = scores.first_lost()
    assert first is not None
    scores.resend(first, 46 * MS)
    scores.add(Sent(1_000, bytes(100), False), 47 * MS)
    acked(scores, 0, (500, 600), (1_000, 1_100), now=87 * MS)
    lost, _, again = scores.find_lost(87 * MS, 0)
    assert again
    assert lost == 5  # the one that was sent again, and 600 to 900
    assert first.lost


def test_part_of_a_segment_may_be_acknowledged() -> None:
    scores = board(2)
    acked(scores, 150)
    assert (scores.queue[0].seq, scores.queue[0].payload) == (150, bytes(50))


def test_at_a_timeout_what_is_younger_than_a_round_trip_is_left_in_flight() -> None:
    scores = board()
    acked(scores, 100, now=40 * MS)
    scores.add(Sent(1_000, bytes(100), False), 300 * MS)
    scores.lose_at_timeout(301 * MS, 0)
    assert [sent.seq for sent in scores.in_flight] == [1_000]


def test_a_receiver_that_takes_back_what_it_had_is_sent_all_again() -> None:
    scores = board()
    acked(scores, 0, (0, 1_000))
    scores.lose_at_timeout(400 * MS, 0)
    assert scores.sacked == 0
    assert all(sent.lost for sent in scores.queue)


def test_what_was_only_late_is_in_flight_again() -> None:
    scores = board()
    acked(scores, 0, (500, 600), now=45 * MS)
    scores.find_lost(45 * MS, 0)
    scores.forgive()
    assert scores.first_lost() is None
    assert [sent.seq for sent in scores.in_flight] == [0, 100, 200, 300, 400, 600, 700, 800, 900]


def test_reordering_is_noticed_by_what_went_once() -> None:
    scores = board()
    assert not acked(scores, 0, (500, 600)).reordered
    assert acked(scores, 0, (300, 400), (500, 600)).reordered
    assert acked(scores, 300, (300, 400), (500, 600)).reordered


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.just(0), st.just(0)),
        st.tuples(st.just("ack"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("sack"), st.integers(0, 20), st.integers(1, 6)),
        st.tuples(st.just("lost"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("resend"), st.just(0), st.just(0)),
        st.tuples(st.just("timeout"), st.just(0), st.just(0)),
        st.tuples(st.just("forgive"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(steps)
def test_a_segment_is_in_exactly_one_place(script: list[tuple[str, int, int]]) -> None:
    scores, now, next_number, una = Scoreboard(0), 0, 0, 0
    for what, one, two in script:
        now += MS
        if what == "add":
            scores.add(Sent(next_number, bytes(100), False), now)
            next_number += 100
        elif what == "ack":
            una = min(max(una, una + one * 50), next_number)
            scores.acknowledge(una, now, 0, next_number, Acked())
        elif what == "sack":
            start = una + 100 * one + 100
            scores.select([(start, min(start + 100 * two, next_number))], now, 0, next_number, Acked())
        elif what == "lost":
            scores.find_lost(now, one * MS)
        elif what == "resend":
            first = scores.first_lost()
            if first is not None:
                scores.resend(first, now)
        elif what == "timeout":
            scores.lose_at_timeout(now, 0)
        else:
            scores.forgive()
        for sent in scores.queue:
            assert (sent in scores.in_flight) + sent.lost + sent.sacked == 1
        assert set(scores.in_flight) <= set(scores.queue)
        assert scores.sacked == sum(sent.sacked for sent in scores.queue)
        times = [sent.sent_ns for sent in scores.in_flight]
        assert times == sorted(times)
        assert (scores.first_lost() is None) == (not any(sent.lost for sent in scores.queue))
