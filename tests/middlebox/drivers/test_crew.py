"""A box of two workers between two real TCP stacks: it does what one process does, and says what each worker did."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from middlebox.drivers.log import decisions
from middlebox.drivers.sharing import worker_of
from tests.middlebox.drivers.three_nodes import LiveBox, ThreeNodes
from tests.middlebox.drivers.traffic import CLIENT, FOUR, IN_PATH, RESET, SIX, captured, fetch, replayed

#: more addresses of the server, so that there are pairs for both workers
MORE = tuple(f"203.0.113.{last}" for last in range(20, 26))
ALL = (FOUR, SIX, *MORE)


def _worker(address: str) -> int:
    """Whose the client and an address of the server are, of two workers."""
    return worker_of(b"\x45" + bytes(11) + socket.inet_aton("10.0.0.1") + socket.inet_aton(address), 2)


#: one address for each worker
EACH = tuple(next(at for at in MORE if _worker(at) == worker) for worker in (0, 1))


@pytest.fixture
def wide(nodes: ThreeNodes, server: object) -> ThreeNodes:
    """The three nodes, with many addresses at the server."""
    for address in MORE:
        nodes.run("server", ["ip", "addr", "add", f"{address}/24", "dev", "eth0"])
    return nodes


def _lines(folder: Path, worker: int) -> list[dict[str, Any]]:
    return [json.loads(one) for one in (folder / f"box.{worker}.jsonl").read_text().splitlines()]


def _hosts(flow: str) -> frozenset[str]:
    client, _, server = flow.partition(" ")[2].partition(">")
    return frozenset(end.rpartition(":")[0] for end in (client, server))


@pytest.mark.lab
def test_every_trigger_is_blocked_no_innocent_is_and_each_pair_of_hosts_is_one_workers(
    wide: ThreeNodes, tmp_path: Path
) -> None:
    box = LiveBox(wide, tmp_path, RESET, "--workers", "2")
    assert fetch(wide, 443, *(f"blocked.example@{at}" for at in ALL)) == ["ConnectionResetError"] * len(ALL)
    assert fetch(wide, 443, *(f"open.example@{at}" for at in ALL)) == ["answer"] * len(ALL)
    stats = box.ask(do="stats")
    shares = [worker["packets"] for worker in stats["workers"]]
    assert stats["packets"] == sum(shares)
    assert min(shares) > 0.2 * sum(shares)
    assert stats["counters"]["rule:sni"] == box.ask(do="rules")["hits"]["sni"] == len(ALL)
    assert stats["cpu_share"] == max(worker["cpu_share"] for worker in stats["workers"])
    assert box.stop() == 0
    assert not wide.run("box", ["iptables", "-t", "mangle", "-S"])[0].count("NFQUEUE")
    hosts = [{_hosts(one["flow"]) for one in _lines(tmp_path, worker)} for worker in (0, 1)]
    assert not hosts[0] & hosts[1]
    assert len(hosts[0] | hosts[1]) == len(ALL)
    for worker in (0, 1):
        assert (tmp_path / f"box.{worker}.jsonl").read_bytes() == replayed(box, f"box.{worker}")
        # what the kernel's program said of each packet, ours says too
        assert {worker_of(packet, 2) for _, packet in captured(tmp_path, f"box.{worker}")} == {worker}
    assert (tmp_path / "decisions.jsonl").read_bytes() == replayed(box)


def _by_the_product(folder: Path, policy: str, capture: str) -> list[str]:
    (folder / "first.yaml").write_text(policy)
    words = [sys.executable, "-m", "testbed.cli", "replay", str(folder / "first.yaml"), str(folder / f"{capture}.pcap")]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.mark.lab
def test_phases_and_policies_change_for_all_workers_between_the_same_packets(wide: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(wide, tmp_path, IN_PATH, "--workers", "2", "--data-plane", "queue", "--seed", "3")
    stats = box.ask(do="stats")
    assert (stats["data_plane"], stats["data_plane_reason"]) == ("queue", "asked for")
    hurt = [f"{name}.example@{at}" for at in EACH for name in ("gone", "late", "turned", "phased")]
    with socket.socket(socket.AF_UNIX) as watcher:
        watcher.connect(str(box.control))
        lines = watcher.makefile("rwb")
        lines.write(b'{"do": "watch"}\n')
        lines.flush()
        assert json.loads(lines.readline()) == {"watching": True}
        time.sleep(0.05)
        assert fetch(wide, 80, *hurt) == ["TimeoutError", "answer", "ConnectionResetError", "answer"] * 2
        count = len(decisions(tmp_path))
        seen = [json.loads(lines.readline()) for _ in range(count)]
        lines.close()
    assert sorted(seen, key=lambda one: int(one["t_ns"])) == decisions(tmp_path)
    assert {one["box"] for one in seen} == {"box.0", "box.1"}
    phase = box.ask(do="phase", name="during")
    assert phase["before_packet"] == box.ask(do="stats")["packets"]
    assert fetch(wide, 80, *(f"phased.example@{at}" for at in EACH)) == ["TimeoutError"] * 2
    wider = RESET.replace("action:", "memory: {for: 10 s, key: client}\n    action:")
    refused = box.ask(do="reload", policy=wider)["error"]
    assert refused.startswith("the policy stays as it is: policy 'live-reset' (")
    assert "rule 'sni' remembers by client address (memory: key: client); use --workers 1" in refused
    assert "error" in box.ask(do="reload", policy="name: live-in-path\nrules: 7\n")
    second = IN_PATH.replace("live-in-path", "second").replace("gone.example", "other.example")
    assert box.ask(do="reload", policy=second)["policy"] == "second"
    both = [f"{name}.example@{at}" for at in EACH for name in ("gone", "other")]
    assert fetch(wide, 80, *both) == ["answer", "TimeoutError"] * 2
    (tmp_path / "policy.yaml").write_text(IN_PATH.replace("name: live-in-path", "name: third"))
    box.signal(signal.SIGHUP)
    until = time.monotonic() + 5
    while box.ask(do="rules")["policy"] != "third":
        assert time.monotonic() < until
    assert fetch(wide, 80, *(f"gone.example@{at}" for at in EACH)) == ["TimeoutError"] * 2
    assert box.stop() == 0
    for name, log in (("box", "decisions"), ("box.0", "box.0"), ("box.1", "box.1")):
        assert _by_the_product(tmp_path, IN_PATH, name) == (tmp_path / f"{log}.jsonl").read_text().splitlines()


SNI = """
name: live-memory
rules:
  - name: gone
    match: {tls.sni: {under: [gone.example]}}
    action: {drop: flow}
    memory: {for: 60 s, key: 3-tuple}
"""

#: connections to several addresses, each of which says a harmless name; what comes of them whenever a line is read
_KEPT = (
    CLIENT[: CLIENT.index("told = []")]
    + """
kept = [socket.create_connection((address, 443), timeout=2) for address in sys.argv[1:]]
def say(connected, what):
    connected.settimeout(0.4)
    try:
        connected.sendall(what)
        return connected.recv(100).decode()
    except OSError as error:
        return type(error).__name__
print(json.dumps([say(one, request(443, "open.example")) for one in kept]), flush=True)
for line in sys.stdin:
    print(json.dumps([say(one, b"more") for one in kept]), flush=True)
"""
)


@pytest.mark.lab
def test_marks_are_given_and_taken_back_by_the_worker_that_has_the_pair(wide: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(wide, tmp_path, SNI, "--workers", "2")
    assert box.ask(do="ping")["workers"] == 2
    client = subprocess.Popen(
        wide.command("client", [sys.executable, "-c", _KEPT, *EACH, *EACH]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def again() -> list[str]:
        assert client.stdin is not None
        client.stdin.write("more\n")
        client.stdin.flush()
        return heard()

    def heard() -> list[str]:
        assert client.stdout is not None
        said: list[str] = json.loads(client.stdout.readline())
        return said

    assert heard() == ["answer"] * 4
    seen = box.ask(do="stats")["packets"]
    assert again() == ["answer"] * 4
    assert box.ask(do="stats")["packets"] == seen  # they are the kernel's
    assert box.ask(do="rules")["kernel"][""]["passed"]["packets"] >= 8
    assert fetch(wide, 443, f"gone.example@{EACH[1]}") == ["TimeoutError"]
    assert again() == ["answer", "TimeoutError"] * 2
    client.communicate(timeout=10)
    assert box.stop() == 0
    assert "penstock" not in wide.run("box", ["nft", "list", "ruleset"])[0]
    assert (tmp_path / "decisions.jsonl").read_bytes() == replayed(box)


def _children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _runs(process: int) -> bool:
    """False also for one that has ended and was left by its parent, which nobody there waits for."""
    path = Path(f"/proc/{process}/stat")
    return path.exists() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def _outcome(nodes: ThreeNodes, wanted: str) -> str:
    done = nodes.start("client", [sys.executable, "-c", CLIENT, "443", wanted])
    out, _ = nodes.finish(done, status=None)
    return str(json.loads(out)["told"][0][0]) if done.returncode == 0 else "no connection"


@pytest.mark.lab
@pytest.mark.parametrize(("fail", "outcome"), [("open", "answer"), ("closed", "no connection")])
def test_a_killed_worker_is_named_and_is_the_end_of_the_box(
    wide: ThreeNodes, tmp_path: Path, fail: str, outcome: str
) -> None:
    box = LiveBox(wide, tmp_path, RESET, "--workers", "2", "--fail", fail)
    assert fetch(wide, 443, *(f"blocked.example@{at}" for at in MORE)) == ["ConnectionResetError"] * len(MORE)
    workers = _children(box.pid)
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    assert box.wait() == 3
    assert box.process.stderr is not None
    said = box.process.stderr.read()
    assert said.startswith("box 'box': worker 1 (process ")
    assert said.endswith(") was ended by signal 9 (SIGKILL)\n")
    assert not any(_runs(one) for one in workers)
    assert {_outcome(wide, f"blocked.example@{at}") for at in EACH} == {outcome}
    # what was decided before is told, and decided so again
    assert (tmp_path / "decisions.jsonl").read_bytes() == replayed(box) != b""
    again = LiveBox(wide, tmp_path / "again", RESET)  # takes the rules of the dead one away
    assert fetch(wide, 443, *(f"blocked.example@{at}" for at in MORE)) == ["ConnectionResetError"] * len(MORE)
    assert again.stop() == 0
    assert "NFQUEUE" not in wide.run("box", ["iptables", "-t", "mangle", "-S"])[0]


@pytest.mark.lab
def test_workers_end_with_the_process_that_speaks_for_them(wide: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(wide, tmp_path, RESET, "--workers", "2")
    assert fetch(wide, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    workers = _children(box.pid)
    box.signal(signal.SIGKILL)
    box.wait()
    until = time.monotonic() + 5
    while any(_runs(one) for one in workers):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert [one["rule"] for one in decisions(tmp_path)] == ["sni"]
    assert not (tmp_path / "box.pcap").exists()


@pytest.mark.lab
def test_a_policy_that_is_wider_than_a_worker_is_refused_before_anything_is_attached(
    nodes: ThreeNodes, tmp_path: Path
) -> None:
    policy = RESET.replace("action:", "threshold: {more_than: 2, within: 60 s, per: server}\n    action:")
    with pytest.raises(RuntimeError) as refused:
        LiveBox(nodes, tmp_path, policy, "--workers", "2")
    assert str(refused.value) == (
        f"box 'box': policy 'live-reset' ({tmp_path / 'policy.yaml'}) cannot be shared among workers, each of which "
        "sees only the pairs of hosts that are its own: rule 'sni' counts flows by server address (threshold: per: "
        "server); use --workers 1\n"
    )
    assert "-A" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]
    assert [path.name for path in tmp_path.iterdir()] == ["policy.yaml"]
