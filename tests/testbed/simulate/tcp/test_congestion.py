"""How windows grow and shrink."""

from __future__ import annotations

import pytest

from testbed.simulate.tcp.congestion import CONTROLS, INFINITE, Cubic, Reno, Window

MS = 1_000_000
S = 1_000 * MS


def window(packets: int, threshold: int = INFINITE) -> Window:
    made = Window()
    made.packets, made.threshold = packets, threshold
    return made


def test_slow_start_ends_at_the_threshold_and_goes_on_by_one_a_round_trip() -> None:
    made = window(10, 14)
    Reno().on_acked(made, 10, 0)
    # 4 reach the threshold; 6 count for the 14 that one more takes
    assert (made.packets, made.count) == (14, 6)
    Reno().on_acked(made, 8, 0)
    assert made.packets == 15


def test_reno_halves_and_cubic_takes_three_tenths() -> None:
    assert Reno().threshold(window(100)) == 50
    assert Cubic().threshold(window(100)) == 70
    assert Reno().threshold(window(3)) == Cubic().threshold(window(2)) == 2


def test_cubic_is_back_at_its_old_window_after_k_seconds() -> None:
    made, cubic, now = window(1_000), Cubic(), 10 * S
    made.threshold = made.packets = cubic.threshold(made)
    cubic.on_round_trip(made, 100 * MS, now, 0, 1)
    k = (300 / 0.4) ** (1 / 3)  # RFC 9438, 4.1: 9.1 s
    sizes = {}
    for step in range(1, 121):
        cubic.on_acked(made, made.packets, now + step * 100 * MS)
        sizes[step] = made.packets
    assert sizes[round(10 * k)] == pytest.approx(1_000, rel=0.02)
    # fast at first, flat at the old window, fast again
    assert sizes[20] - sizes[1] > 3 * (sizes[95] - sizes[76])
    assert sizes[120] > 1_000


def test_cubic_is_never_slower_than_reno_where_windows_are_small() -> None:
    made, cubic, now = window(10), Cubic(), 10 * S
    made.threshold = made.packets = cubic.threshold(made)
    for step in range(1, 101):
        cubic.on_acked(made, made.packets, now + step * 10 * MS)
    # RFC 9438, 4.3: 3 (1 - beta) / (1 + beta) = 0.53 packets a round trip
    assert made.packets >= 7 + 40


def test_a_second_loss_below_the_last_one_gives_room_to_others() -> None:
    cubic = Cubic()
    cubic.threshold(window(100))
    cubic.threshold(window(80))
    assert cubic._last_max == pytest.approx(80 * (1_024 + 717) / 2_048, abs=1)


def test_a_train_of_acknowledgements_as_long_as_half_a_round_trip_ends_the_slow_start() -> None:
    made, cubic = window(30), Cubic()
    for step in range(200):
        cubic.on_round_trip(made, 40 * MS, 10 * S + step * MS, step, 10_000)
        if made.threshold < INFINITE:
            break
    assert made.threshold == 30
    assert 20 <= step <= 23


def test_growing_round_trips_end_the_slow_start() -> None:
    made, cubic = window(30), Cubic()
    cubic.on_round_trip(made, 40 * MS, 10 * S, 0, 5)
    for step in range(1, 20):
        cubic.on_round_trip(made, 40 * MS + 6 * MS, 10 * S + step * 10 * MS, step, 1_000)
    assert made.threshold == 30


def test_a_window_that_does_not_hold_sending_up_is_not_in_use() -> None:
    made = window(50, 20)
    made.note_use(0, 1_000, 5, limited=False)
    assert not made.in_use
    made.note_use(0, 2_000, 50, limited=True)
    assert made.in_use


def test_silence_halves_the_window_for_each_timeout_down_to_the_first() -> None:
    made = window(80)
    made.restart(500 * MS, 220 * MS)
    assert made.packets == 20
    made.restart(60 * S, 220 * MS)
    assert made.packets == 10


def test_all_controls_can_be_made() -> None:
    assert sorted(CONTROLS) == ["cubic", "reno"]
    for make in CONTROLS.values():
        control = make()
        control.on_acked(window(10), 5, S)
        control.on_idle_end(2 * S, S)
        control.on_timeout()
