"""A tool that is kept: connected when wanted, anew when due or dead, every attempt told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from middlebox.policy import Policy
from testbed.timeline.keeping import Keeping, ServerDeadError, Tried
from testbed.timeline.series import Series
from testbed.tool import NotUp
from testbed.topology import shipped
from tests.testbed.timeline.pretended import POLICY, PretendedServer, PretendedTimelineLab, fresh


class Bench:
    """A keeping with all that it needs."""

    def __init__(self, folder: Path) -> None:
        fresh()
        self.lab = PretendedTimelineLab(Policy.load(POLICY), shipped("national"), [], 1, folder / "lab")
        self.server = PretendedServer(self.lab.host("relay"))
        self.series = Series(folder / "series.jsonl")
        self.tried: list[Tried] = []
        self.due_s = float("inf")
        host = self.lab.host("client")
        self.keeping = Keeping(
            "pretended-vpn",
            self.server,
            host,
            actor="anna",
            connect_s=0.1,
            patience_s=0.4,
            due=lambda since_s: self.due_s,
            series=self.series,
            prober=lambda via: lambda out: host.start(["0.05", "1", via.source, ""], stdout=out),
            tell=self.tried.append,
        )

    def use(self, seconds: float = 0.3) -> str:
        with self.keeping.use(time.time() + seconds) as via:
            return via.source


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.keeping.close()
    bench.series.close()


def test_it_connects_when_it_is_wanted_and_stays(bench: Bench) -> None:
    assert bench.tried == []
    assert bench.use() == bench.use() == "10.8.0.2"
    (tried,) = bench.tried
    assert (tried.failure, tried.attempts, tried.exit) == ("", 1, "198.51.100.201")


def test_every_attempt_is_told_until_it_is_up_and_the_time_counts_from_the_first(bench: Bench) -> None:
    bench.lab.phases = ["during"]
    with pytest.raises(NotUp):
        bench.use(0.5)
    failed = len(bench.tried)
    assert failed >= 1
    assert {one.failure for one in bench.tried} == {"generic_timeout_error"}
    bench.lab.phases = ["after"]
    bench.use()
    last = bench.tried[-1]
    assert (last.failure, last.attempts) == ("", failed + 1)
    assert last.since_s > last.seconds


def test_it_connects_anew_when_it_is_due(bench: Bench) -> None:
    bench.use()
    bench.due_s = 0.0
    with pytest.raises(NotUp):  # each new one is due again
        bench.use(0.2)
    assert len(bench.tried) >= 2


def test_nobody_loses_a_tunnel_that_he_uses(bench: Bench) -> None:
    inside, free = threading.Event(), threading.Event()

    def stay() -> None:
        with bench.keeping.use(time.time() + 1):
            inside.set()
            free.wait(5)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(5)
    bench.due_s = 0.0
    assert bench.use() == "10.8.0.2"
    assert len(bench.tried) == 1
    free.set()
    thread.join(5)


def test_a_tunnel_that_is_silent_for_too_long_is_connected_anew(bench: Bench) -> None:
    bench.use()
    bench.lab.up = False  # its packets are lost, its program lives
    time.sleep(0.6)
    bench.use()
    assert [one.attempts for one in bench.tried] == [1, 1]


def test_a_client_that_has_ended_is_counted_and_started_again(bench: Bench) -> None:
    with bench.keeping.use(time.time() + 1):
        assert bench.keeping._tunnel is not None
        bench.keeping._tunnel.close()
    bench.use()
    assert len(bench.tried) == 2
    assert bench.keeping.deaths == 1


def test_a_server_that_has_ended_is_no_outcome_of_the_network(bench: Bench) -> None:
    bench.server.dead = True
    with pytest.raises(ServerDeadError, match="the server of pretended-vpn has ended"):
        bench.use()


def test_after_its_end_it_connects_no_more(bench: Bench) -> None:
    bench.use()
    bench.keeping.close()
    with pytest.raises(NotUp):
        bench.use(5)
    assert len(bench.tried) == 1
