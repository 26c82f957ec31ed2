"""Tools of a leg: connected once, and what an attempt sees when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed import passage
from testbed.passage import Passages
from testbed.result import Outcome
from testbed.tool import Host, NotUp, ToolError, Via
from testbed.topology import shipped
from tests.testbed.pretended import PretendedLab

VIA = Via(source="10.8.0.2", exit="198.51.100.201")


class _Tunnel:
    via, ready_s = VIA, 0.4

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def close(self) -> None:
        self._told.append("tunnel closed")


class _Serving:
    def __init__(self, told: list[str], error: Exception | None) -> None:
        self._told, self._error = told, error

    def connect(self, client: Host, limit_s: float, source: str = "") -> _Tunnel:
        self._told.append(f"{client.name} connects")
        if self._error:
            raise self._error
        return _Tunnel(self._told)

    def close(self) -> None:
        self._told.append("server closed")


class _Tool:
    def __init__(self, told: list[str], error: Exception | None = None, broken: bool = False) -> None:
        self._told, self._error, self._broken = told, error, broken

    def serve(self, relay: Host, limit_s: float = 30.0) -> _Serving:
        if self._broken:
            raise ToolError("no such program")
        self._told.append(f"{relay.name} serves")
        return _Serving(self._told, self._error)


def _passages(folder: Path, tool: _Tool, monkeypatch: pytest.MonkeyPatch, topology: str = "national") -> Passages:
    PretendedLab.ALL = []
    monkeypatch.setattr(passage, "TOOLS", {"tunnel": tool})
    lab = PretendedLab(None, shipped(topology), [], 1, folder)
    return Passages(lab, "client", lab.topology, 5.0)


def test_a_server_is_started_once_and_ends_with_the_leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with _passages(tmp_path, _Tool(told), monkeypatch) as passages:
        for _ in range(2):
            opened = passages.open("tunnel")
            assert (opened.via, opened.ready_s, opened.failed) == (VIA, 0.4, None)
            assert passages.passage("tunnel") == opened
            passages.shut("tunnel")
        shut = passages.passage("tunnel")
        assert shut.failed is not None
        assert shut.failed.outcome is Outcome.NO_RESULT
    assert told == ["relay serves", *["client connects", "tunnel closed"] * 2, "server closed"]


def test_a_tool_that_does_not_get_through_is_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = NotUp("tunnel", "generic_timeout_error", 5.0, "no answer")
    with _passages(tmp_path, _Tool([], error), monkeypatch) as passages:
        failed = passages.open("tunnel").failed
    assert failed is not None
    assert (failed.outcome, failed.failure, failed.seconds) == (Outcome.BLOCKED, "generic_timeout_error", 5.0)


def test_a_tool_that_cannot_be_used_is_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _passages(tmp_path, _Tool([], broken=True), monkeypatch) as passages:
        failed = passages.open("tunnel").failed
    assert failed is not None
    assert (failed.outcome, failed.note) == (Outcome.NO_RESULT, "tunnel: no such program")
    with _passages(tmp_path, _Tool([]), monkeypatch, "small") as passages:
        failed = passages.open("tunnel").failed
    assert failed is not None
    assert "no foreign host" in failed.note


def test_a_changer_of_packets_is_started_on_the_client_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class _Changing:
        def __init__(self, host: Host, name: str) -> None:
            if name == "fake":
                raise ToolError("no queue")
            told.append(f"{name} on {host.name}")

        def close(self) -> None:
            told.append("closed")

    monkeypatch.setattr(passage, "Changing", _Changing)
    passages = _passages(tmp_path, _Tool(told), monkeypatch)
    assert passages.open("split") == passages.passage("split") == passage.Passage()
    passages.shut("split")
    assert told == ["split on client", "closed"]
    failed = passages.open("fake").failed
    assert failed is not None
    assert failed.note == "fake: no queue"
