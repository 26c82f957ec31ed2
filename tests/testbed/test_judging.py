"""Ok, throttled, degraded, blocked: by comparison with a control."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from testbed.judging import Normal, handshake, is_steady, judge, most, normals
from testbed.result import Fidelity, Outcome
from testbed.series import Series
from testbed.workload import Observation
from tests.testbed.written import BASE, rows

USUAL = Normal(goodput=(8e6, 9e6, 10e6), handshake_s=(0.06, 0.08, 0.07))


def _series(seconds: float, arrived: Callable[[float], float]) -> Series:
    times = tuple(number / 10 for number in range(int(10 * seconds) + 1))
    return Series(times_s=times, bytes=tuple(int(arrived(one)) for one in times))


def _steady(rate: float, burst: int = 0) -> Series:
    return _series(14, lambda when: burst + rate * when)


def _seen(goodput: float, series: Series | None = None, *, tls_s: float = 0.17) -> Observation:
    return Observation(outcome=Outcome.OK, goodput=goodput, series=series, connect_s=0.1, tls_s=tls_s, seconds=10)


def test_as_fast_as_the_control_is_ok() -> None:
    assert judge(_seen(9e6, _steady(1e6)), USUAL) is Outcome.OK
    assert judge(_seen(4.6e6, _steady(5e5)), USUAL) is Outcome.OK  # more than half of the median


def test_half_the_median_is_not_slow_if_the_control_was_as_slow_once() -> None:
    wide = dataclasses.replace(USUAL, goodput=(1e6, 9e6, 10e6))
    assert judge(_seen(1.2e6, _steady(1.5e5)), wide) is Outcome.OK


def test_a_steady_low_rate_is_throttled() -> None:
    assert judge(_seen(128e3, _steady(16_000)), USUAL) is Outcome.THROTTLED
    assert judge(_seen(128e3, _steady(16_000, burst=16_000)), USUAL) is Outcome.THROTTLED


def test_a_policers_steps_within_a_second_are_steady() -> None:
    steps = _series(14, lambda when: 16_000 * int(when))
    assert is_steady(steps)


def test_a_low_rate_that_comes_and_goes_is_degraded() -> None:
    erratic = _series(14, lambda when: 16_000 * when if when < 6 else 96_000 + 1_000 * (when - 6))
    assert judge(_seen(80e3, erratic), USUAL) is Outcome.DEGRADED


def test_what_the_senders_kernel_saw_arrive_decides_over_the_order_of_the_content() -> None:
    held_up = _series(14, lambda when: 0 if when < 9 else 16_000 * when)
    assert judge(_seen(128e3, held_up), USUAL) is Outcome.DEGRADED
    seen = dataclasses.replace(_seen(128e3, held_up), delivered=_steady(11))
    assert judge(seen, USUAL) is Outcome.THROTTLED


def test_a_late_handshake_is_degraded_whatever_the_rate() -> None:
    assert judge(_seen(9e6, _steady(1e6), tls_s=1.1), USUAL) is Outcome.DEGRADED
    assert judge(_seen(128e3, _steady(16_000), tls_s=1.1), USUAL) is Outcome.DEGRADED


def test_at_a_low_rate_the_handshakes_own_bytes_take_their_time() -> None:
    assert judge(_seen(128e3, _steady(16_000), tls_s=0.4), USUAL) is Outcome.THROTTLED  # 4 kB need 0.25 s


def test_what_is_over_too_soon_has_no_rate_to_speak_of() -> None:
    brief = _series(3, lambda when: 16_000 * when)
    assert judge(_seen(128e3, brief), USUAL) is Outcome.DEGRADED


def test_without_a_control_or_a_rate_it_is_what_the_client_saw() -> None:
    assert judge(_seen(1.0, _steady(1)), None) is Outcome.OK
    assert judge(Observation(outcome=Outcome.OK), USUAL) is Outcome.OK
    failed = Observation(outcome=Outcome.BLOCKED, failure="generic_timeout_error")
    assert judge(failed, USUAL) is Outcome.BLOCKED


def test_the_yardstick_is_the_controls_successes_that_can_be_trusted() -> None:
    good = rows(3, goodput=5e6, connect_s=0.1, tls_s=0.2)
    bad = [dataclasses.replace(good[0], fidelity=Fidelity.SUSPECT, fidelity_reason="slow", goodput=1.0)]
    other = rows(1, policy="p", goodput=2.0)
    failed = rows(1, failure="connection_reset")
    found = normals([*good, *bad, *other, *failed])
    assert set(found) == {"innocent"}
    assert found["innocent"].goodput == (5e6,) * 3
    assert found["innocent"].handshake_s == pytest.approx((0.1,) * 3)
    assert normals(failed) == {}
    assert handshake(BASE) is None


def test_most_is_the_worst_of_those_alike() -> None:
    assert most({"ok": 2, "throttled": 3}) == "throttled"
    assert most({"ok": 2, "blocked": 2, "degraded": 1}) == "blocked"
    assert most({"no_result": 3}) == ""
    assert most({}) == ""
