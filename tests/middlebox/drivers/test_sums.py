"""What several workers say, as of one box."""

from __future__ import annotations

from middlebox.drivers.sums import together


def test_counts_are_added_and_of_shares_and_times_the_worst_counts() -> None:
    one: dict[str, object] = {"packets": 3, "queue_drops": 1, "added_p99_s": 0.2, "cpu_share": 0.9, "since": 5}
    other: dict[str, object] = {"packets": 4, "queue_drops": 0, "added_p99_s": None, "cpu_share": 0.1, "since": 6}
    assert together([one, other]) == {"packets": 7, "queue_drops": 1, "added_p99_s": 0.2, "cpu_share": 0.9, "since": 5}
    assert together([other, other])["added_p99_s"] is None


def test_words_that_differ_are_told_all_and_what_must_hold_for_all_holds_for_all() -> None:
    one = {"scheduling": "realtime", "policy": "p", "alive": True, "passes_when_full": True}
    other = {"scheduling": "normal", "policy": "p", "alive": True, "passes_when_full": False}
    said = together([one, other])
    assert said == {"scheduling": "realtime and normal", "policy": "p", "alive": True, "passes_when_full": False}


def test_counters_inside_are_added_by_their_names() -> None:
    said = together([{"counters": {"flows": 1, "rule:a": 2}}, {"counters": {"flows": 5, "lost:b": 1}}])
    assert said == {"counters": {"flows": 6, "rule:a": 2, "lost:b": 1}}
