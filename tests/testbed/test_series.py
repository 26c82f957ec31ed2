"""Bytes over time: goodput of the steady part, rates by spans, and what a run keeps of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.series import FILE, Kept, Series, SeriesFile, read


def _even(rate: float, seconds: int, *, burst: int = 0, from_s: float = 0.0) -> Series:
    """A burst at once, then `rate` bytes a second, looked at ten times a second."""
    moments = [number / 10 for number in range(10 * seconds + 1)]
    return Series(
        times_s=tuple(from_s + one for one in moments),
        bytes=tuple(int(burst + rate * one) for one in moments),
        from_s=from_s,
    )


def test_the_goodput_leaves_out_the_beginning() -> None:
    policed = _even(16_000, 10, burst=16_000, from_s=0.5)
    assert policed.goodput(0) == pytest.approx(8 * 16_000)  # the burst came before the first look
    late = Series(times_s=(0.0, 1.0, 4.0), bytes=(0, 90_000, 120_000))
    assert late.goodput(0) == pytest.approx(8 * 30_000)
    assert late.goodput(1) == pytest.approx(8 * 10_000)


def test_of_what_is_over_soon_only_a_third_is_left_out() -> None:
    quick = Series(times_s=(0.1, 0.2, 0.4), bytes=(0, 1_000, 5_000), from_s=0.1)
    assert quick.goodput(2) == pytest.approx(8 * 4_000 / 0.2)
    assert Series(times_s=(), bytes=()).goodput(1) is None


def test_rates_are_those_of_whole_spans() -> None:
    assert _even(1_000, 7).rates(1, 2) == pytest.approx([8_000, 8_000, 8_000])
    assert Series(times_s=(0.0, 4.0), bytes=(0, 4_000)).rates(0, 2) == pytest.approx([8_000, 8_000])
    assert Series(times_s=(0.0, 1.0), bytes=(0, 4_000)).rates(0, 2) == []


def test_each_moment_has_its_amount() -> None:
    with pytest.raises(ValueError, match="2 moments, but 1 amounts"):
        Series(times_s=(0.0, 1.0), bytes=(1,))


def test_a_run_keeps_its_series_and_reads_them_again(tmp_path: Path) -> None:
    file = SeriesFile(tmp_path)
    file.close()
    assert not (tmp_path / FILE).exists()
    assert list(read(tmp_path)) == []
    series = _even(1_000, 2, from_s=0.25)
    file.write(series, policy="control", target="down", phase="main", attempt=3)
    file.close()
    with (tmp_path / FILE).open("a") as more:
        more.write('{"policy": "cut off')
    assert list(read(tmp_path)) == [Kept("control", "down", "main", 3, series)]
