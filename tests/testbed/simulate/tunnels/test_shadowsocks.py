"""Shadowsocks: each request is a connection of its own, random from its first byte, and named inside."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from simpy.events import Event

from testbed import failure
from tests.testbed.simulate.tunnels.made import connect, fetch, lab_with, serve, told


def test_each_request_is_a_connection_that_looks_random(tmp_path: Path) -> None:
    lab = lab_with("  - {name: random, match: {encrypted.random: true}, action: log}\n", tmp_path)
    used = serve(lab, "shadowsocks")

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        for _ in range(3):
            yield from fetch(lab, used)

    lab.run(person(), limit_s=60)
    assert used.got is not None
    assert len(used.got.body) == 20_000
    assert len({one["flow"] for one in told(lab) if one["rule"] == "random"}) == 4  # one asked whether it is up


def test_a_connection_that_is_cut_fails_alone(tmp_path: Path) -> None:
    rule = "  - {name: cut, when: {phase: [bad]}, match: {encrypted.random: true}, action: reset}\n"
    lab = lab_with(rule, tmp_path)
    used = serve(lab, "shadowsocks")
    seen: list[str] = []

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        for phase in ("bad", "good"):
            lab.enter_phase(phase)
            yield from fetch(lab, used)
            assert used.got is not None
            seen.append(used.got.failure)

    lab.run(person(), limit_s=60)
    assert seen == [failure.RESET, ""]
