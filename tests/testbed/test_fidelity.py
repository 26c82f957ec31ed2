"""Overload is seen, named, and laid to the right attempts."""

import time
from typing import Any

from testbed.emulate.outside import LabError
from testbed.fidelity import BoxWatch, Window, asked, judge, most_added_s, worst
from testbed.result import Fidelity
from testbed.topology import shipped


def _window(**changes: Any) -> Window:
    values: dict[str, Any] = {"begin_s": 0.0, "end_s": 1.0, "alive": True, "added_p99_s": 0.001, "cpu_share": 0.1}
    return Window(**{**values, **changes})


def test_a_box_with_time_to_spare_is_trusted() -> None:
    judged = judge([_window(), _window(added_p99_s=0.002)], 0.005)
    assert (judged.fidelity, judged.reason) == (Fidelity.OK, "")
    assert (judged.added_p99_s, judged.drops) == (0.002, 0)


def test_each_kind_of_overload_makes_a_row_suspect_and_is_named() -> None:
    for change, words in (
        ({"drops": 3}, "3 packets lost"),
        ({"cpu_share": 0.93}, "93% of a core"),
        ({"added_p99_s": 0.0071}, "7.1 ms"),
    ):
        judged = judge([_window(), _window(**change)], 0.005)
        assert judged.fidelity is Fidelity.SUSPECT
        assert words in judged.reason


def test_a_moment_is_too_short_to_tell_a_share_of_a_core() -> None:
    moment = _window(begin_s=0.0, end_s=0.01, cpu_share=1.0)
    assert judge([_window(), moment], 0.005).fidelity is Fidelity.OK


def test_the_load_of_a_whole_leg_is_its_worst() -> None:
    said: list[dict[str, Any]] = [
        {"alive": True, "queue_drops": 1, "added_p99_s": 0.002, "cpu_share": 0.5},
        {"alive": True, "queue_drops": 2, "added_p99_s": None, "cpu_share": 0.9},
    ]
    watch = BoxWatch(lambda: said.pop(0))
    time.sleep(0.11)
    watch.ask()
    watch.ask()  # too soon for its share of a core to count
    assert watch.load() == {"added_p99_s": 0.002, "cpu_share": 0.5, "queue_drops": 3}


def test_a_dead_box_gives_no_result() -> None:
    assert judge([_window(), _window(alive=False)], 0.005).fidelity is Fidelity.NONE
    assert judge([], 0.005).fidelity is Fidelity.NONE


def test_a_box_that_saw_nothing_adds_nothing() -> None:
    judged = judge([_window(added_p99_s=None)], 0.005)
    assert judged.fidelity is Fidelity.OK
    assert judged.added_p99_s is None


def test_boxes_in_series_count_as_one() -> None:
    good = {"alive": True, "queue_drops": 1, "added_p99_s": 0.001, "cpu_share": 0.2}
    both = worst([good, {**good, "cpu_share": 0.5}])
    assert both == {"alive": True, "queue_drops": 2, "added_p99_s": 0.002, "cpu_share": 0.5}
    assert worst([good, {}])["alive"] is False


def test_the_boxes_of_a_lab_that_is_gone_are_dead() -> None:
    class Gone:
        def box_stats(self, name: str = "box", *, reset: bool = False) -> None:
            raise LabError("the lab is gone")

    assert not asked(Gone(), ["box"])["alive"]
    watch = BoxWatch(lambda: asked(Gone(), ["box"]))
    assert not watch.ask().alive


def test_only_windows_during_the_attempt_count() -> None:
    said: list[dict[str, Any]] = [
        {"alive": True, "queue_drops": 5, "added_p99_s": 0.5, "cpu_share": 0.0},
        {"alive": True, "queue_drops": 0, "added_p99_s": 0.001, "cpu_share": 0.0},
    ]
    watch = BoxWatch(lambda: said.pop(0) if len(said) > 1 else said[0])
    watch.ask()  # the overload was before
    time.sleep(0.01)
    begin_s = time.time()
    time.sleep(0.01)
    watch.ask()
    begin_s = max(begin_s, watch._windows[0].end_s + 0.001)
    assert watch.judge(begin_s, time.time()).fidelity is Fidelity.OK
    assert watch.judge(begin_s - 60, time.time()).fidelity is Fidelity.SUSPECT


def test_the_watch_asks_by_itself_and_stops() -> None:
    count = 0

    def stats() -> dict[str, Any]:
        nonlocal count
        count += 1
        return {"alive": True}

    with BoxWatch(stats):
        time.sleep(0.6)
    after = count
    assert after >= 2
    time.sleep(0.4)
    assert count == after


def test_what_a_box_may_add_is_half_the_round_trip_to_its_servers() -> None:
    assert most_added_s(shipped("national")) == 0.015
    assert most_added_s(shipped("small")) == 0.005
