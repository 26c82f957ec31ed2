"""Probes: what a line says, what a stretch of them says, and how they reach the disk."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from testbed.timeline.series import Probe, Probing, Series, read_probe, read_series, recovery_s, stretch


def _probes(*answers: tuple[float, bool]) -> list[Probe]:
    return [
        Probe(actor="a", t=t, ended=t + 0.1, ok=ok, rtt=0.05 if ok else None, why="" if ok else "timeout")
        for t, ok in answers
    ]


def test_an_answer_that_came_past_the_tool_is_none() -> None:
    line = json.dumps({"t": 1.0, "ended": 1.1, "ok": True, "exit": "10.0.0.1", "seconds": 0.1, "rtt": 0.04})
    direct = read_probe("a", line, "")
    assert direct is not None
    assert (direct.ok, direct.rtt) == (True, 0.04)
    past = read_probe("a", line, "198.51.100.201")
    assert past is not None
    assert (past.ok, past.rtt, past.why) == (False, None, "came from another address")


@pytest.mark.parametrize("line", ["", "{", '{"t": 1}', "[1]", '{"t": "x", "ended": 1, "ok": true}'])
def test_half_a_line_is_no_probe(line: str) -> None:
    assert read_probe("a", line, "") is None


def test_the_longest_outage_is_the_longest_time_between_answers_less_the_probes_own() -> None:
    probes = _probes((0.1, True), (1, True), (2, False), (3, False), (4, True), (5, True))
    found = stretch(probes, 0, 6, 1.0)
    assert found.longest_outage_s == pytest.approx(1.0)
    assert found.answered == pytest.approx(4 / 6)
    assert (found.rtt_s, found.why) == (0.05, "timeout")


def test_without_an_answer_the_outage_is_the_whole_stretch_and_without_probes_too() -> None:
    assert stretch(_probes((1, False)), 0, 6, 1.0).longest_outage_s == 6
    found = stretch([], 0, 6, 1.0)
    assert (found.longest_outage_s, found.answered, found.probes) == (6, 0.0, 0)


def test_an_outage_counts_from_the_stretchs_start_and_to_its_end() -> None:
    assert stretch(_probes((5, True), (6, True)), 0, 10, 1.0).longest_outage_s == pytest.approx(3)


def test_recovery_lasts_until_the_answer_to_a_question_that_was_asked_afterwards() -> None:
    probes = _probes((9.5, True), (10.5, False), (13, True))
    assert recovery_s(probes, 10) == pytest.approx(3.1)
    assert recovery_s(_probes((11, False)), 10) is None
    assert recovery_s(_probes((10.2, True)), 10) == pytest.approx(0.3)


def test_probes_are_on_the_disk_as_soon_as_they_are_over_and_half_a_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "series.jsonl"
    series = Series(path)
    for probe in _probes((1, True), (2, False)):
        series.add(probe)
    assert len(read_series(path)) == 2
    with open(path, "a") as file:
        file.write('{"actor": "a", "t"')
    assert [one.ok for one in read_series(path)] == [True, False]
    assert series.last_ok_s("a") == pytest.approx(1.1)
    assert series.last_ok_s("nobody") == 0.0
    series.close()
    series.add(_probes((3, True))[0])  # kept in memory, no error
    assert len(series.of("a")) == 3
    assert read_series(tmp_path / "nothing") == []


class _Command:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_a_probers_lines_become_probes_until_it_is_closed(tmp_path: Path) -> None:
    series, command = Series(tmp_path / "series.jsonl"), _Command()

    def start(out: int) -> _Command:
        os.write(out, b'{"t": 1, "ended": 1.1, "ok": true, "exit": "198.51.100.9"}\n')
        return command

    probing = Probing(start, actor="a", exit="198.51.100.9", series=series)
    until = time.monotonic() + 5
    while not series.of("a"):
        assert time.monotonic() < until
        time.sleep(0.01)
    probing.close()
    series.close()
    assert command.closed
