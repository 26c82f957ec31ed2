"""The box between two real TCP stacks: what clients see, what it tells, and that its files replay the same."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from middlebox.censor import Censor
from middlebox.drivers.capture import read_packets
from middlebox.drivers.log import line
from middlebox.drivers.replay import read_sidecar, replay
from middlebox.policy import Policy
from tests.middlebox.drivers.test_send import sniff
from tests.middlebox.drivers.three_nodes import LiveBox, ThreeNodes
from tests.middlebox.drivers.traffic import CLIENT, FOUR, IN_PATH, RESET, SIX, captured, fetch, replayed


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_resets_win_every_race_and_no_innocent_is_touched(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET, "--seed", "7")
    wanted = [f"blocked.example@{FOUR}", f"notblocked.example@{FOUR}", f"www.blocked.example@{SIX}", f"x.example@{SIX}"]
    outcomes = fetch(nodes, 443, *wanted * 50)
    assert outcomes == ["ConnectionResetError", "answer"] * 100
    stats = box.ask(do="stats")
    assert stats["counters"]["rule:sni"] == 100
    assert stats["sent"] == 400
    assert stats["queue_drops"] == 0
    assert stats["clock"] == "kernel"
    assert 0 < stats["added_p50_s"] < stats["added_p99_s"] < 0.1
    assert box.stop() == 0
    assert len(box.decisions()) == 100
    assert (tmp_path / "decisions.jsonl").read_bytes() == replayed(box)


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_the_client_gets_the_resets_as_the_policy_describes_them(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET)
    sniffer = sniff(nodes, 3, port=443, flags=0x06)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    out, _ = nodes.finish(sniffer)
    syn_ack, *forged = [IP(bytes.fromhex(packet)) for packet in json.loads(out)]
    for packet in forged:
        assert (packet.id, str(packet.flags), packet.ttl) == (0, "", 55)  # the box is the last hop
        assert packet[TCP].flags == "R"
        assert packet[TCP].seq == syn_ack[TCP].seq + 1
        again = packet.copy()
        del again.chksum, again[TCP].chksum
        assert bytes(IP(bytes(again))) == bytes(packet)
    assert box.stop() == 0


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_drops_holds_and_rewrites_happen_and_replay_the_same(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, IN_PATH)
    told = nodes.python(
        "client", CLIENT, "80", *(f"{name}.example@{FOUR}" for name in ("open", "gone", "late", "turned", "phased"))
    )["told"]
    assert [outcome for outcome, _ in told] == ["answer", "TimeoutError", "answer", "ConnectionResetError", "answer"]
    assert told[2][1] > 0.06
    assert box.ask(do="phase", name="during") == {"phase": "during", "before_packet": box.ask(do="stats")["packets"]}
    assert fetch(nodes, 80, f"phased.example@{SIX}", f"open.example@{SIX}") == ["TimeoutError", "answer"]
    assert box.stop() == 0
    rules = [decision["rule"] for decision in box.decisions()]
    assert set(rules) == {"gone", "late", "turned", "sleeping"}
    assert (tmp_path / "decisions.jsonl").read_bytes() == replayed(box)


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_control_tells_rules_hits_and_decisions_as_they_come(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET, "--phase", "before")
    told = box.ask(do="ping")
    assert (told["alive"], told["box"], told["data_plane"]) == (True, "box", "kernel")
    with socket.socket(socket.AF_UNIX) as watcher:
        watcher.connect(str(box.control))
        watcher.settimeout(5)
        lines = watcher.makefile("rwb")
        lines.write(b'{"do": "watch"}\n')
        lines.flush()
        assert json.loads(lines.readline()) == {"watching": True}
        before = box.ask(do="stats", reset=True)
        assert (before["policy"], before["phase"], before["packets"]) == ("live-reset", "before", 0)
        fetch(nodes, 443, f"blocked.example@{FOUR}")
        assert json.loads(lines.readline()) == box.decisions()[0]
        lines.close()
    told = box.ask(do="rules")
    assert told["hits"] == {"sni": 1}
    assert any("blocked.example" in sentence for sentence in told["sentences"])
    assert box.ask(do="stats")["packets"] >= 4
    assert "no request 'nonsense'" in box.ask(do="nonsense")["error"]
    assert box.ask(do="stop") == {"stopping": True}
    assert box.wait() == 0
    said = json.loads((tmp_path / "box.json").read_text())
    assert (said["box"], said["policy"], said["policy_text"]) == ("box", "live-reset", RESET)
    assert said["phases"][0]["phase"] == "before"
    assert not box.control.exists()


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_a_box_that_stops_lets_held_packets_go_and_takes_its_rules_away(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, IN_PATH.replace("60 ms", "60 s"))
    client = nodes.start("client", [sys.executable, "-c", CLIENT.replace("0.4", "5"), "80", f"late.example@{FOUR}"])
    until = time.monotonic() + 5
    while box.ask(do="stats")["held"] == 0:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert box.stop() == 0
    out, _ = nodes.finish(client)
    assert json.loads(out)["told"][0][0] == "answer"
    for program in ("iptables", "ip6tables"):
        assert "NFQUEUE" not in nodes.run("box", [program, "-t", "mangle", "-S"])[0]


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_ipv6_packets_are_recorded_whole(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET)
    fetch(nodes, 443, f"x.example@{SIX}")
    assert box.stop() == 0
    packets = [IPv6(packet) for _, packet in captured(tmp_path)]
    assert {(packet.src, packet.dst) for packet in packets} == {("2001:db8:1::1", SIX), (SIX, "2001:db8:1::1")}
    for packet in packets:
        again = packet.copy()
        del again[TCP].chksum
        assert bytes(IPv6(bytes(again))) == bytes(packet), "a checksum is missing"


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_the_replay_of_the_product_reads_the_boxs_files_and_decides_the_same(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, IN_PATH, "--seed", "11", "--phase", "during", "--name", "box2")
    fetch(nodes, 80, *(f"{name}.example@{FOUR}" for name in ("gone", "late", "phased", "turned")))
    assert box.stop() == 0
    recorded = read_sidecar(tmp_path / "box2.pcap")
    assert recorded is not None
    assert (recorded.box, recorded.seed, recorded.policy_text) == ("box2", 11, IN_PATH)
    censor = Censor(Policy.load(tmp_path / "policy.yaml"), seed=recorded.seed)
    decisions = replay(censor, read_packets(tmp_path / "box2.pcap"), phases=recorded.phases)
    again = b"".join(line(decision, "box2") for decision in decisions if not decision.simply_passed)
    assert again == (tmp_path / "decisions.jsonl").read_bytes() != b""


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_windows_of_measurement_are_kept_apart_by_their_names(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET)
    box.ask(do="stats", window="first", reset=True)
    fetch(nodes, 443, f"x.example@{FOUR}")
    box.ask(do="stats", window="second", reset=True)
    first, second = (box.ask(do="stats", window=name) for name in ("first", "second"))
    assert first["packets"] > second["packets"]
    assert first["counters"] == second["counters"]
    assert first["scheduling"] in ("realtime", "nice -10", "normal")
    assert box.stop() == 0


_KEEPS = """
import json, socket, sys
connected = socket.create_connection(("203.0.113.5", 80), timeout=2)
told = []
for line in sys.stdin:
    connected.settimeout(0.4)
    connected.sendall(f"GET / HTTP/1.1\\r\\nHost: {line.strip()}\\r\\n\\r\\n".encode())
    try:
        print(connected.recv(100).decode(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_another_policy_takes_over_while_flows_go_on_and_replays_the_same(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, IN_PATH, "--seed", "3")
    client = subprocess.Popen(
        nodes.command("client", [sys.executable, "-c", _KEEPS]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def request(name: str) -> str:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(f"{name}\n")
        client.stdin.flush()
        return client.stdout.readline().strip()

    assert request("open.example") == "answer"
    faulty = box.ask(do="reload", policy="name: live-in-path\nrules: 7\n")
    assert faulty["error"].startswith("the policy stays as it is: ")
    assert "found" in faulty["error"]
    assert "error" in box.ask(do="reload", policy="no-such-policy")
    assert box.ask(do="rules")["policy"] == "live-in-path"
    assert request("open.example") == "answer"
    # by a text, by a file that is read again, and by its path
    second = IN_PATH.replace("live-in-path", "second").replace("gone.example", "open.example")
    assert box.ask(do="reload", policy=second)["policy"] == "second"
    assert request("gone.example") == "answer"
    (tmp_path / "policy.yaml").write_text(IN_PATH.replace("name: live-in-path", "name: third"))
    box.signal(signal.SIGHUP)
    until = time.monotonic() + 5
    while box.ask(do="rules")["policy"] != "third":
        assert time.monotonic() < until
    assert request("open.example") == "answer"
    assert fetch(nodes, 80, f"gone.example@{FOUR}") == ["TimeoutError"]
    (tmp_path / "fourth.yaml").write_text(RESET)
    assert box.ask(do="reload", policy=str(tmp_path / "fourth.yaml"))["policy"] == "live-reset"
    assert request("gone.example") == "answer"
    assert fetch(nodes, 443, f"blocked.example@{FOUR}", f"x.example@{FOUR}") == ["ConnectionResetError", "answer"]
    client.communicate(timeout=10)
    stats = box.ask(do="stats")
    assert (stats["policy"], stats["data_plane"]) == ("live-reset", "kernel")
    assert box.stop() == 0
    assert {one["rule"] for one in box.decisions()} == {"gone", "sni"}
    recorded = read_sidecar(tmp_path / "box.pcap")
    assert recorded is not None
    assert len(recorded.changes) == 3
    changes = []
    for number, change in enumerate(recorded.changes):
        path = tmp_path / f"change-{number}.yaml"
        path.write_text(str(change.policy))
        changes.append(replace(change, policy=Policy.load(path)))
    (tmp_path / "first.yaml").write_text(recorded.policy_text)
    censor = Censor(Policy.load(tmp_path / "first.yaml"), seed=recorded.seed)
    decisions = replay(censor, read_packets(tmp_path / "box.pcap"), changes=changes)
    again = b"".join(line(decision, "box") for decision in decisions if not decision.simply_passed)
    assert again == (tmp_path / "decisions.jsonl").read_bytes() != b""
    by_hand = [sys.executable, "-m", "testbed.cli", "replay", str(tmp_path / "first.yaml"), str(tmp_path / "box.pcap")]
    done = subprocess.run([*by_hand, "--json"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == (tmp_path / "decisions.jsonl").read_text().splitlines()


SLOWER = """
name: p
rules:
  - name: gone
    match: {tls.sni: {under: [NAME]}}
    action: {drop: flow}
"""


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_flows_that_were_left_to_the_kernel_are_asked_about_again_under_another_policy(
    nodes: ThreeNodes, tmp_path: Path
) -> None:
    box = LiveBox(nodes, tmp_path, SLOWER.replace("NAME", "gone.example"))
    code = (
        CLIENT[: CLIENT.index("told = []")]
        + """
connected = socket.create_connection((sys.argv[2], 443), timeout=2)
connected.sendall(request(443, "x.example"))
for line in sys.stdin:
    connected.sendall(b"more")
    print(connected.recv(100).decode(), flush=True)
"""
    )
    client = subprocess.Popen(
        nodes.command("client", [sys.executable, "-c", code, "443", FOUR]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def say() -> int:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("go\n")
        client.stdin.flush()
        assert client.stdout.readline() == "answer\n"
        return int(box.ask(do="stats")["packets"])

    say()
    before = say()
    assert say() == before  # the kernel's
    box.ask(do="reload", policy=SLOWER.replace("NAME", "other.example"))
    again = say()
    assert again > before
    assert say() == say()
    client.communicate(timeout=10)
    assert box.stop() == 0
