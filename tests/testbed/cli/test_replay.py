"""`penstock replay`: tables, JSON lines, one flow's story, and the capture of what would leave the box."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet
from scapy.utils import PcapWriter, RawPcapReader

from middlebox.drivers.capture import Writer
from middlebox.drivers.log import Sidecar, line
from middlebox.verdict import Decision
from testbed.cli import main
from tests.middlebox.dialogue import MS, NOON, Play, get, hello, policy

POLICY = """\
name: sni-reset
box: {placement: on-path}
lists: {banned: [blocked.example]}
rules:
  - name: sni
    match: {tls.sni: {under: banned}}
    action: {reset: {toward: both}}
    chance: 50 %
"""
DROP = """\
name: sni-drop-here
box: {placement: in-path}
lists: {banned: [blocked.example]}
rules:
  - name: sni
    match: {tls.sni: {under: banned}}
    action: {drop: flow}
"""


class Taken(Play):
    """A play whose packets go into a capture as a live box writes it."""

    def __init__(self, text: str, path: Path, *, seed: int = 7, sidecar: bool = True, phase: str = "") -> None:
        super().__init__(policy(text), seed=seed)
        self._writer = Writer(path)
        self.path = path
        if sidecar:
            said = Sidecar(path.with_suffix(".json"), box="isp", seed=seed, policy=self.policy.name, policy_text=text)
            if phase:
                said.enter(phase, before_packet=0, t_ns=NOON)
        if phase:
            self.censor.enter_phase(phase, NOON)

    def give(self, packet: Packet | bytes) -> Decision:
        self._writer.write(self.now_ns + MS, bytes(packet))
        self._writer.flush()
        return super().give(packet)

    def browse(self, count: int) -> None:
        for at in range(count):
            connection = self.connect(sport=40000 + at)
            connection.send(hello("blocked.example" if at % 2 == 0 else "innocent.example"))
            connection.answer(b"server hello")
        self._writer.close()

    def log(self, box: str) -> str:
        return b"".join(line(one, box) for one in self.decisions if not one.simply_passed).decode()


@pytest.fixture
def names(tmp_path: Path) -> tuple[str, str]:
    """A policy file and the place of a capture."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    return str(tmp_path / "policy.yaml"), str(tmp_path / "box.pcap")


Out = pytest.CaptureFixture[str]


def test_json_is_the_live_boxs_decision_log_and_nothing_else(names: tuple[str, str], capsys: Out) -> None:
    play = Taken(POLICY, Path(names[1]), seed=3)
    play.browse(12)
    assert main(["replay", *names, "--json"]) == 0
    said = capsys.readouterr()
    assert said.out == play.log("isp")
    assert 0 < said.out.count("\n") < 6
    assert said.err == ""


def test_another_seed_decides_otherwise(names: tuple[str, str], capsys: Out) -> None:
    Taken(POLICY, Path(names[1]), seed=3).browse(12)
    outcomes = set()
    for seed in range(6):
        assert main(["replay", *names, "--json", "--seed", str(seed)]) == 0
        outcomes.add(capsys.readouterr().out)
    assert len(outcomes) > 1


def test_phases_are_those_of_the_live_box(names: tuple[str, str], capsys: Out) -> None:
    text = DROP + "    when: {phase: during}\n"
    Path(names[0]).write_text(text)
    play = Taken(text, Path(names[1]), phase="during")
    play.browse(1)
    assert main(["replay", *names, "--json"]) == 0
    said = capsys.readouterr()
    assert said.out == play.log("isp") != ""
    Path(names[1]).with_suffix(".json").unlink()
    assert main(["replay", *names, "--json"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "tells no phases of a run, so rules that wait for one sleep: 'sni'" in said.err


def test_a_policy_other_than_the_live_one_is_said(names: tuple[str, str], capsys: Out) -> None:
    Taken(DROP, Path(names[1])).browse(1)
    assert main(["replay", *names]) == 0
    said = capsys.readouterr()
    assert "taken under policy 'sni-drop-here' with another text than that of 'sni-reset'" in said.err


def test_tables_tell_flows_rules_and_packets(names: tuple[str, str], capsys: Out) -> None:
    Path(names[0]).write_text(DROP)
    Taken(DROP, Path(names[1])).browse(3)
    assert main(["replay", *names]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = [" ".join(one.split()) for one in said.out.splitlines()]
    assert lines[0] == "sni-drop-here on box.pcap, seed 7: 15 packets in 0.014 s, 3 flows; 4 dropped, 11 passed"
    assert "1 tcp 10.0.0.1:40000>203.0.113.5:443 5 sni drop 2 dropped, 3 passed" in lines
    assert "3 0.003000 1 sni drop rule 'sni' matches: tls.sni is blocked.example" in lines
    assert lines[-1] == "1 flow passed untouched. --explain '#N' tells the story of flow N."


def test_long_tables_say_what_they_leave_out(names: tuple[str, str], capsys: Out) -> None:
    Path(names[0]).write_text(DROP)
    Taken(DROP, Path(names[1])).browse(90)
    assert main(["replay", *names]) == 0
    said = capsys.readouterr().out
    assert "  and 5 more flows that met a rule\n" in said
    assert "  and 50 more packets that did not simply pass; --json lists them all\n" in said
    assert "45 flows passed untouched." in said


def test_a_capture_that_no_rule_minds_is_said(names: tuple[str, str], capsys: Out) -> None:
    play = Taken(POLICY, Path(names[1]))
    play.connect(dport=80).send(get())
    assert main(["replay", *names]) == 0
    assert "No rule had anything to say: every packet passes as it came." in capsys.readouterr().out


def test_explain_tells_one_flow(names: tuple[str, str], capsys: Out) -> None:
    Path(names[0]).write_text(DROP)
    Taken(DROP, Path(names[1])).browse(3)
    assert main(["replay", *names, "--explain", "40002"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(
        "flow 3: tcp 10.0.0.1:40002>203.0.113.5:443\nunder sni-drop-here, seed 7, box 'isp'; sequence numbers"
    )
    assert "packet 10  +0.000000 s  client > server  SYN seq 0, 0 bytes" in said.out
    assert "    a new flow: tcp 10.0.0.1:40002>203.0.113.5:443\n" in said.out
    assert "    -> dropped (drop): rule 'sni' matches: tls.sni is blocked.example\n" in said.out
    assert "40000" not in said.out


def test_an_ambiguous_flow_lists_the_candidates(names: tuple[str, str], capsys: Out) -> None:
    Taken(POLICY, Path(names[1])).browse(30)
    assert main(["replay", *names, "--explain", "203.0.113.5:443"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("penstock replay: 30 flows fit '203.0.113.5:443':\n  1  tcp 10.0.0.1:40000>")
    assert "  and 10 more\n" in said.err
    assert main(["replay", *names, "--explain", "10.9.9.9"]) == 2
    assert "no flow fits '10.9.9.9'; there are:\n  1  tcp" in capsys.readouterr().err


def test_out_is_what_would_leave_the_box(names: tuple[str, str], tmp_path: Path, capsys: Out) -> None:
    text = POLICY.replace("    chance: 50 %\n", "").replace("on-path}", "on-path, reaction: 5 ms}")
    Path(names[0]).write_text(text)
    Taken(text, Path(names[1])).browse(1)
    out = tmp_path / "out.pcap"
    assert main(["replay", *names, "--json", "--out", str(out)]) == 0
    with RawPcapReader(str(out)) as reader:
        packets = [(meta.sec * 10**9 + meta.usec - NOON, IP(raw)) for raw, meta in reader]
    assert [at for at, _ in packets] == sorted(at for at, _ in packets)
    resets = [(at, one[TCP].sport) for at, one in packets if "R" in str(one[TCP].flags)]
    assert {port for _, port in resets} == {443, 40000}
    assert {at for at, _ in resets} == {9 * MS}
    assert len(packets) - len(resets) == 5


def test_out_has_no_packet_that_was_dropped(names: tuple[str, str], tmp_path: Path) -> None:
    Path(names[0]).write_text(DROP)
    Taken(DROP, Path(names[1])).browse(1)
    out = tmp_path / "out.pcap"
    assert main(["replay", *names, "--explain", "#1", "--out", str(out)]) == 0
    with RawPcapReader(str(out)) as reader:
        assert len(list(reader)) == 3


def test_a_foreign_capture_over_ethernet_is_replayed(names: tuple[str, str], capsys: Out) -> None:
    ethernet = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    query = IP(src="10.0.0.1", dst="203.0.113.53") / UDP(sport=5353, dport=53) / DNS(qd=DNSQR(qname="blocked.example"))
    late, early = ethernet / query, ethernet / query
    late.time, early.time = 9.0, 8.0
    with PcapWriter(names[1], linktype=1) as writer:
        for packet in (late, ethernet / ARP(), early):
            writer.write(packet)
    Path(names[0]).write_text(
        DROP.replace("match: {tls.sni: {under: banned}}", "match: {dns.name: {under: banned}}").replace(
            "action: {drop: flow}", "action: log"
        )
    )
    assert main(["replay", *names, "--json"]) == 0
    said = capsys.readouterr()
    rows = [json.loads(one) for one in said.out.splitlines()]
    assert [(one["packet"], one["box"], one["rule"]) for one in rows] == [(0, "box", "sni"), (2, "box", "sni")]
    assert "1 of 3 frames carry no IP; they pass" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing-like-this", "BOX"], "nothing-like-this: found neither a shipped policy nor a file"),
        (["POLICY", "nothing.pcap"], "nothing.pcap: No such file or directory"),
        (["POLICY", "POLICY"], "byte 0: found 6e 61 6d 65; expected a pcap"),
        (["POLICY", "BOX", "--out", "BOX"], "found the capture that is read; expected another file for --out"),
        (["POLICY", "BOX", "--out", "/nowhere/at/all"], "/nowhere/at/all: found a place that cannot be written to"),
    ],
)
def test_bad_input_is_said_in_one_message(names: tuple[str, str], capsys: Out, words: list[str], message: str) -> None:
    Taken(POLICY, Path(names[1])).browse(1)
    told = [{"POLICY": names[0], "BOX": names[1]}.get(word, word) for word in words]
    assert main(["replay", *told]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_a_cut_capture_gives_its_whole_packets_and_says_so(names: tuple[str, str], capsys: Out) -> None:
    play = Taken(POLICY, Path(names[1]), seed=3)
    play.browse(12)
    whole = play.log("isp")
    data = Path(names[1]).read_bytes()
    Path(names[1]).write_bytes(data[:-7])
    assert main(["replay", *names, "--json"]) == 0
    said = capsys.readouterr()
    assert said.out == whole
    assert "the file ends in the middle of packet 59; the 59 packets before it are whole" in said.err


def test_packets_that_were_captured_only_in_part_are_said(names: tuple[str, str], capsys: Out) -> None:
    segment = IP(src="10.0.0.1", dst="203.0.113.5") / TCP(sport=40000, dport=443, flags="PA") / hello()
    with Writer(names[1]) as writer:
        writer.write(NOON, bytes(segment))
        writer.write(NOON, bytes(segment)[:96])
    assert main(["replay", *names]) == 0
    assert "1 of 2 packets were captured only in part" in capsys.readouterr().err


def test_a_capture_without_packets_is_said(names: tuple[str, str], capsys: Out) -> None:
    Writer(names[1]).close()
    assert main(["replay", *names]) == 0
    assert "the capture has no packets" in capsys.readouterr().err
