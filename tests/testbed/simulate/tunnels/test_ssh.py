"""`ssh -D`: its lines are real, its channels share one connection, and it ends with that."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from simpy.events import Event

from testbed import failure
from tests.testbed.simulate.tunnels.made import connect, fetch, lab_with, serve, told, used_once


def test_a_box_reads_the_line_of_a_real_openssh(tmp_path: Path) -> None:
    rule = "  - {name: openssh, match: {ssh.software: OpenSSH_9.2p1}, action: log}\n"
    lab, used = used_once("ssh", rule, tmp_path)
    assert used.got is not None
    assert {one["rule"] for one in told(lab)} == {"openssh"}


def test_all_that_goes_through_it_shares_one_connection(tmp_path: Path) -> None:
    lab = lab_with("  - {name: see, match: {server.port: 22}, action: log}\n", tmp_path)
    used = serve(lab, "ssh")

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        for _ in range(3):
            yield from fetch(lab, used)

    lab.run(person(), limit_s=60)
    assert used.got is not None
    assert used.got.failure == ""
    assert len({one["flow"] for one in told(lab)}) == 1


def test_it_ends_when_its_server_is_silent_for_too_long_and_not_by_itself_anew(tmp_path: Path) -> None:
    lab = lab_with("  - {name: all, when: {phase: [bad]}, match: {server.port: 22}, action: {drop: {}}}\n", tmp_path)
    used = serve(lab, "ssh")
    alive: list[bool] = []

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        assert used.tunnel is not None
        lab.enter_phase("bad")
        for _ in range(3):
            yield lab.clock.wait(10.0)
            alive.append(used.tunnel.alive())
        lab.enter_phase("good")
        yield from fetch(lab, used)

    lab.run(person(), limit_s=60)
    assert (alive[0], alive[2]) == (True, False)
    assert used.got is not None
    assert used.got.failure == failure.REFUSED
