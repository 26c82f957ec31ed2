"""The box's process between two real TCP stacks: what clients see, what is on disk, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.utils import RawPcapReader

from middlebox.censor import Censor
from middlebox.drivers.log import line
from middlebox.policy import Policy
from tests.middlebox.drivers.test_send import sniff
from tests.middlebox.drivers.three_nodes import LiveBox, ThreeNodes

RESET = """
name: live-reset
box: {placement: on-path}
rules:
  - name: sni
    match: {tls.sni: {under: [blocked.example]}}
    action: {reset: {toward: both, flags: RST, ttl: 55, ip_id: 0, df: false, copies: 2}}
"""

IN_PATH = """
name: live-in-path
rules:
  - name: gone
    match: {http.host: gone.example}
    action: {drop: flow}
  - name: late
    match: {http.host: late.example}
    action: {hold: 60 ms}
  - name: turned
    match: {http.host: turned.example}
    action: rewrite
  - name: sleeping
    match: {http.host: phased.example}
    when: {phase: during}
    action: {drop: flow}
"""

#: answers each request after 10 ms, in both IP versions
SERVER = """
import socket, threading, time
def serve(connected):
    try:
        while asked := connected.recv(65536):
            time.sleep(0.01)
            connected.sendall(b"answer")
    except OSError:
        pass
def accept(listener):
    while True:
        threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
for port in (80, 443):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    threading.Thread(target=accept, args=(listener,)).start()
print("ready", flush=True)
"""

#: sends each request by a new connection; tells what came of it and how long it took
CLIENT = """
import json, socket, ssl, sys, time
def request(port, name):
    if port == 80:
        return f"GET / HTTP/1.1\\r\\nHost: {name}\\r\\n\\r\\n".encode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
told = []
port = int(sys.argv[1])
for word in sys.argv[2:]:
    name, address = word.split("@")
    with socket.create_connection((address, port), timeout=1) as connected:
        connected.settimeout(0.4)
        said = request(port, name)
        begin = time.perf_counter()
        connected.sendall(said)
        try:
            outcome = connected.recv(100).decode() or "end"
        except OSError as error:
            outcome = type(error).__name__
        told.append([outcome, time.perf_counter() - begin])
print(json.dumps({"told": told}))
"""

FOUR, SIX = "203.0.113.5", "2001:db8:2::5"


def fetch(nodes: ThreeNodes, port: int, *wanted: str) -> list[str]:
    """What came of requests, each "name@address"."""
    return [outcome for outcome, _ in nodes.python("client", CLIENT, str(port), *wanted)["told"]]


def captured(folder: Path) -> list[tuple[int, bytes]]:
    """The packets of the box's capture with their times, read by scapy."""
    reader = RawPcapReader(str(folder / "box.pcap"))
    assert reader.nano
    packets = [(when.sec * 1_000_000_000 + when.usec, packet) for packet, when in reader]
    reader.close()
    return packets


def replayed(box: LiveBox) -> bytes:
    """The decision log that the box's capture gives when a fresh engine is given it."""
    said: dict[str, Any] = json.loads((box.folder / "box.json").read_text())
    again = box.folder / "again.yaml"
    again.write_text(said["policy_text"])
    censor = Censor(Policy.load(again), seed=said["seed"])
    lines = b""
    for number, (t_ns, packet) in enumerate(captured(box.folder)):
        for phase in said["phases"]:
            if phase["before_packet"] == number:
                censor.enter_phase(phase["phase"], phase["t_ns"])
        censor.due(t_ns)
        decision = censor.decide(packet, t_ns)
        if not decision.simply_passed:
            lines += line(decision, said["box"])
    return lines


@pytest.fixture
def server(nodes: ThreeNodes) -> subprocess.Popen[str]:
    return nodes.serve(SERVER)


def test_outside_of_a_lab_it_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "middlebox.drivers.nfqueue", "--policy", "none", "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("box 'box': refusing to attach to this network namespace: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lab
def test_a_policy_that_cannot_be_read_is_told_and_nothing_is_attached(nodes: ThreeNodes, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "middlebox.drivers.nfqueue", "--policy", "no-such", "--out", str(tmp_path / "out")]
    _, errors = nodes.run("box", words, status=2)
    assert "no-such" in errors
    assert "-A" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]
    assert list(tmp_path.iterdir()) == []


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
    assert box.ask(do="ping") == {"alive": True, "box": "box", "pid": box.ask(do="ping")["pid"]}
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
@pytest.mark.parametrize(("fail", "outcome"), [("open", "answer"), ("closed", "no connection")])
def test_after_a_kill_packets_meet_the_setting_and_the_files_are_whole(
    nodes: ThreeNodes, tmp_path: Path, fail: str, outcome: str
) -> None:
    box = LiveBox(nodes, tmp_path, RESET, "--fail", fail)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    box.signal(signal.SIGKILL)
    box.wait()
    done = nodes.start("client", [sys.executable, "-c", CLIENT, "443", f"blocked.example@{FOUR}"])
    out, _ = nodes.finish(done, status=None)
    assert (json.loads(out)["told"][0][0] if done.returncode == 0 else "no connection") == outcome
    (decision,) = box.decisions()
    assert b"blocked.example" in captured(tmp_path)[decision["packet"]][1]
    again = LiveBox(nodes, tmp_path / "again", RESET)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    assert again.stop() == 0
    assert "NFQUEUE" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_a_box_that_breaks_says_so_and_exits_with_3(nodes: ThreeNodes, tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").symlink_to("/dev/full")
    box = LiveBox(nodes, tmp_path, RESET, "--fail", "open")
    fetch(nodes, 443, f"blocked.example@{FOUR}")
    assert box.wait() == 3
    assert box.process.stderr is not None
    said = box.process.stderr.read()
    assert "box 'box' broke while it ran: OSError: [Errno 28] No space left on device" in said


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_the_packets_of_an_earlier_run_are_not_written_over(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET)
    fetch(nodes, 443, f"x.example@{FOUR}")
    assert box.stop() == 0
    kept = (tmp_path / "box.pcap").read_bytes()
    with pytest.raises(RuntimeError, match="holds the packets of an earlier run; give another --out or --name"):
        LiveBox(nodes, tmp_path, RESET)
    assert (tmp_path / "box.pcap").read_bytes() == kept


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_two_boxes_in_a_namespace_need_two_queues(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path / "one", RESET)
    with pytest.raises(RuntimeError, match="queue 0 cannot be opened"):
        LiveBox(nodes, tmp_path / "two", RESET)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    assert box.stop() == 0


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
