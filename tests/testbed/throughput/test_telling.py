"""The words of a throughput run."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.result import read_rows
from testbed.stats import Median, Ratio
from testbed.throughput.findings import cells
from testbed.throughput.telling import rate, rates, sentences, summary, times
from tests.testbed.throughput.slowed import run_of


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (128e3, "128 kbit/s"),
        (9.04e6, "9.04 Mbit/s"),
        (12.34e6, "12.3 Mbit/s"),
        (123e6, "123 Mbit/s"),
        (600, "600 bit/s"),
    ],
)
def test_rates_have_three_digits_and_their_unit(bits: float, text: str) -> None:
    assert rate(bits) == text


def test_intervals_name_a_unit_once() -> None:
    assert rates(Median(1e5, 9e4, 1.1e5, 5, 0.94)) == "94 % interval 90.0 to 110 kbit/s"
    assert rates(Median(1e6, 9e5, 1.1e6, 5, 0.94)) == "94 % interval 900 kbit/s to 1.10 Mbit/s"
    assert times(Ratio(0.0134, 0.012, 0.99, 0.96)) == "1.3 % (95 % interval 1.2 % to 99 %)"


def test_a_single_value_has_no_interval() -> None:
    assert rates(Median(1e5, 1e5, 1e5, 1, 0.0)) == "one value"
    assert times(Ratio(0.5, 0.5, 0.5, 0.0)) == "50 % (one value)"


def test_a_policers_sentence_has_the_rate_the_ratio_and_the_means(tmp_path: Path) -> None:
    manifest = run_of(tmp_path)
    found = cells(read_rows(tmp_path), manifest)
    text = " ".join(sentences("police", found, manifest))
    assert "'down' was throttled in 5 of 5 attempts." in text
    assert (
        "Its goodput was 122 kbit/s (93.8 % interval 120 to 124 kbit/s), "
        "1.4 % (95 % interval 1.3 % to 1.4 %) of the control's" in text
    )
    assert "the policy's 128 kbit/s of packets leave 123 kbit/s of content, and it was 1 % below that." in text
    assert "sent 30 % of its segments again: loss without a queue, which is what a policer does." in text
    assert "The user waited 20.0 s, not 2.0 s." in text
    assert "Innocent targets kept at least 98 %" in text
    assert "Through wireguard, which was up in 0.4 s, the slowed name's targets kept at least 94 %" in text


def test_a_freezes_sentence_says_how_far_it_came(tmp_path: Path) -> None:
    manifest = run_of(tmp_path)
    text = " ".join(sentences("freeze", cells(read_rows(tmp_path), manifest), manifest))
    assert "'down' was blocked in 5 of 5 attempts. The client saw generic_timeout_error (5). 16.0 kB had come" in text


def test_the_summary_has_a_table_and_a_paragraph_for_each_policy(tmp_path: Path) -> None:
    manifest = run_of(tmp_path)
    text = summary(cells(read_rows(tmp_path), manifest), manifest)
    first, *_ = text.split("\n")
    assert first.split() == ["most", "attempts;", "median", "goodput", "control", "police", "freeze"]
    assert "throttled 122 kbit/s" in text
    assert "Without a policy 20 of 20 attempts got all that they asked for." in text
