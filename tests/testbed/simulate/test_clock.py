"""Virtual time: whole nanoseconds that go on."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, START_NS, Clock, Signal, StoppedTimeError


def test_a_scenario_reads_from_top_to_bottom() -> None:
    clock = Clock()
    seen: list[float] = []

    def person() -> Generator[Event, None, None]:
        yield clock.wait(0.5)
        seen.append(clock.elapsed_s)
        yield clock.wait(1.25)
        seen.append(clock.elapsed_s)

    clock.process(person())
    clock.run()
    assert seen == [0.5, 1.75]
    assert clock.now_ns == START_NS + 1_750_000_000


def test_calls_at_one_time_come_in_the_order_in_which_they_were_asked_for() -> None:
    clock = Clock()
    seen: list[object] = []
    for name in "abc":
        clock.after(10, lambda event: seen.append(event.value), name)
    clock.run()
    assert seen == ["a", "b", "c"]


def test_time_that_does_not_advance_is_one_clear_error() -> None:
    clock = Clock(max_at_once=1_000)

    def again(_: Event) -> None:
        clock.after(0, again)

    clock.after(SECOND_NS, again)
    with pytest.raises(StoppedTimeError, match=r"stands still 1\.0+ s after the start: 1001 events at one instant"):
        clock.run()


def test_many_events_at_different_times_are_no_loop() -> None:
    clock = Clock(max_at_once=10)
    for number in range(1_000):
        clock.after(number, lambda _: None)
    clock.run()
    assert clock.now_ns == START_NS + 999


def test_a_time_with_a_fraction_is_refused() -> None:
    clock = Clock()
    clock.timeout(0.5)
    with pytest.raises(TypeError, match="whole nanoseconds"):
        clock.run()


def test_running_for_a_while_ends_at_that_time() -> None:
    clock = Clock()
    clock.run_for(2.5)
    assert clock.elapsed_s == 2.5


def test_a_signal_wakes_all_who_wait_and_then_those_who_wait_anew() -> None:
    clock = Clock()
    signal = Signal(clock)
    woken: list[tuple[str, float]] = []

    def waiter(name: str, times: int) -> Generator[Event, None, None]:
        for _ in range(times):
            yield signal.next
            woken.append((name, clock.elapsed_s))

    clock.process(waiter("once", 1))
    clock.process(waiter("twice", 2))
    for at_s in (1, 2):
        clock.after(at_s * SECOND_NS, lambda _: signal.tell())
    clock.run_for(3)
    assert woken == [("once", 1.0), ("twice", 1.0), ("twice", 2.0)]
