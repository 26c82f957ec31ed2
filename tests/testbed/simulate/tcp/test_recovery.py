"""What a sender believes after losses, and what becomes of its window."""

from __future__ import annotations

import pytest

from testbed.simulate.tcp.congestion import Reno, Window
from testbed.simulate.tcp.recovery import Recovery, State
from testbed.simulate.tcp.round_trips import MS, RoundTrips
from testbed.simulate.tcp.scoreboard import Acked, Scoreboard, Sent


class Beliefs:
    """Twenty segments of 100 bytes under way in a window of twenty."""

    def __init__(self) -> None:
        self.scores = Scoreboard(0)
        self.window = Window()
        self.window.packets = 20
        trips = RoundTrips()
        trips.take(40 * MS, 0, 0)
        self.recovery = Recovery(self.scores, trips, self.window, Reno(), 0)
        for number in range(20):
            self.scores.add(Sent(100 * number, bytes(100), False), number * MS)

    def lose(self, *numbers: int) -> Beliefs:
        for number in numbers:
            self.scores.lose(self.scores.queue[number])
        return self

    def ack(self, una: int, *, echo_ns: int = -1, found: Acked | None = None, more: bool = False) -> State:
        self.recovery.on_ack(found or Acked(), advanced=True, una=una, next_number=2_000, echo_ns=echo_ns, more=more)
        return self.recovery.state


def test_recovery_ends_when_all_that_was_under_way_is_acknowledged() -> None:
    beliefs = Beliefs().lose(0)
    beliefs.recovery.enter_recovery(0, 2_000)
    assert beliefs.window.threshold == 10
    assert beliefs.ack(1_900) is State.RECOVERY
    assert beliefs.ack(2_000) is State.OPEN
    assert beliefs.window.packets == 10


def test_the_window_shrinks_as_packets_arrive() -> None:
    beliefs = Beliefs().lose(0)
    recovery, scores, window = beliefs.recovery, beliefs.scores, beliefs.window
    recovery.enter_recovery(0, 2_000)
    sizes = []
    for number in range(1, 19):
        scores.select([(100 * number, 100 * number + 100)], 50 * MS, 0, 0, Acked())
        recovery.reduce(1, advanced=False, newly_lost=0)
        count = window.packets - len(scores.in_flight)
        for _ in range(count):
            recovery.sent += 1
            scores.add(Sent(5_000 + 100 * recovery.sent, bytes(100), False), 60 * MS)
        sizes.append(window.packets)
    # RFC 6937: every other one that arrives lets one leave, down to the threshold
    assert sizes[0] == 19
    assert sizes[-1] == 10
    assert recovery.sent == pytest.approx(9, abs=1)


def test_at_a_timeout_the_window_is_one_and_the_threshold_half() -> None:
    beliefs = Beliefs()
    beliefs.recovery.enter_loss(0, 2_000, 500 * MS)
    assert (beliefs.window.packets, beliefs.window.threshold) == (1, 10)
    assert beliefs.recovery.state is State.LOSS
    assert all(sent.lost for sent in beliefs.scores.queue)


def test_a_second_timeout_for_the_same_data_lowers_the_threshold_no_further() -> None:
    beliefs = Beliefs()
    beliefs.recovery.enter_loss(0, 2_000, 500 * MS)
    beliefs.recovery.timeouts = 1
    beliefs.recovery.enter_loss(0, 2_000, 1_000 * MS)
    assert beliefs.window.threshold == 10


def test_an_answer_to_what_was_sent_before_undoes_all() -> None:
    beliefs = Beliefs()
    beliefs.recovery.enter_loss(0, 2_000, 500 * MS)
    beliefs.scores.resend(beliefs.scores.queue[0], 500 * MS)
    beliefs.recovery.on_resent(500 * MS)
    assert beliefs.ack(100, echo_ns=0) is State.OPEN
    assert beliefs.window.packets == 20
    assert beliefs.window.threshold > 10
    assert not any(sent.lost for sent in beliefs.scores.queue)


def test_an_answer_to_what_was_sent_again_undoes_nothing() -> None:
    beliefs = Beliefs()
    beliefs.recovery.enter_loss(0, 2_000, 500 * MS)
    beliefs.recovery.on_resent(500 * MS + 7_000)
    assert beliefs.ack(100, echo_ns=500 * MS) is State.LOSS


def test_duplicates_of_all_that_was_sent_again_undo_it_even_later() -> None:
    beliefs = Beliefs().lose(0, 1)
    beliefs.recovery.enter_recovery(0, 2_000)
    for _ in range(2):
        beliefs.recovery.on_resent(50 * MS)
    beliefs.ack(2_000)
    assert beliefs.window.packets == 10
    beliefs.recovery.on_duplicate()
    assert beliefs.ack(2_000) is State.OPEN
    assert beliefs.window.packets == 10
    beliefs.recovery.on_duplicate()
    beliefs.ack(2_000)
    assert (beliefs.window.packets, beliefs.recovery.undone) == (20, 1)


def test_after_a_timeout_new_data_finds_out_whether_anything_was_lost() -> None:
    beliefs = Beliefs()
    recovery = beliefs.recovery
    recovery.enter_loss(0, 2_000, 500 * MS)
    recovery.on_resent(500 * MS)
    again = Acked()
    again.again = True
    assert beliefs.ack(100, echo_ns=500 * MS, found=again, more=True) is State.LOSS
    assert recovery.new_first
    original = Acked()
    original.original = True
    assert beliefs.ack(200, echo_ns=500 * MS, found=original) is State.OPEN
    assert beliefs.window.packets == 20


def test_patience_begins_with_the_first_reordering_and_grows_with_needless_repeats() -> None:
    recovery = Beliefs().recovery
    assert recovery.patience_ns() == 10 * MS
    recovery.state = State.RECOVERY
    assert recovery.patience_ns() == 0
    recovery.reordered = True
    assert recovery.patience_ns() == 10 * MS
    for _ in range(9):
        recovery.on_duplicate()
    assert recovery.patience_ns() == 40 * MS


def test_a_probe_that_repaired_a_loss_reduces_once() -> None:
    beliefs = Beliefs()
    beliefs.recovery.reduce_once(2_000)
    assert (beliefs.recovery.state, beliefs.window.packets) == (State.OPEN, 10)


def test_what_is_out_of_order_is_no_loss_yet() -> None:
    beliefs = Beliefs()
    beliefs.scores.select([(500, 600)], 50 * MS, 0, 0, Acked())
    beliefs.recovery.try_open(2_000)
    seen = [beliefs.recovery.state]
    beliefs.scores.acknowledge(2_000, 60 * MS, 0, 0, Acked())
    beliefs.recovery.try_open(2_000)
    assert [*seen, beliefs.recovery.state] == [State.DISORDER, State.OPEN]
