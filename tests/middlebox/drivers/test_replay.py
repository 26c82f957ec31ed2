"""Replay: the engine is called as a live box calls it, and what leaves the box leaves in the order of time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scapy.packet import Packet

from middlebox.censor import Censor
from middlebox.drivers.capture import Captured, CaptureError, Writer, read_packets
from middlebox.drivers.log import Sidecar
from middlebox.drivers.replay import Change, Phase, Recorded, Tally, read_sidecar, replay
from middlebox.policy import Policy
from middlebox.verdict import Decision, Direction, Emission, Verdict
from tests.middlebox.dialogue import MS, NOON, Play, get, hello, policy

SNI = """
    name: test
    box: {placement: on-path, reaction: 5 ms}
    lists: {banned: [blocked.example]}
    rules:
      - name: sni
        match: {tls.sni: {under: banned}}
        action: {reset: {toward: both}}
        memory: {for: 60 s, key: 3-tuple}
"""


def captured(number: int, t_ns: int, packet: bytes | None = b"packet") -> Captured:
    return Captured(number, t_ns, packet)


class Told:
    """A censor that keeps the order of what is asked of it and decides what the test says."""

    def __init__(self, **fates: Decision) -> None:
        self.asked: list[tuple[str, object, int]] = []
        self.fates = fates
        self.coming: list[Emission] = []
        self.number = 0

    def decide(self, raw: bytes, now_ns: int) -> Decision:
        self.asked.append(("decide", raw, now_ns))
        number = self.number
        self.number += 1
        made = self.fates.get(raw.decode())
        if made is None:
            return Decision(number=number, t_ns=now_ns, verdict=Verdict.PASS)
        self.coming += [emission for emission in made.injected if emission.at_ns > now_ns]
        if made.verdict is Verdict.HOLD:
            self.coming.append(emission(raw, made.release_ns, releases=number))
        return made

    def due(self, now_ns: int) -> list[Emission]:
        ready = sorted((one for one in self.coming if one.at_ns <= now_ns), key=lambda one: one.at_ns)
        self.coming = [one for one in self.coming if one.at_ns > now_ns]
        return ready

    def next_due(self) -> int | None:
        return min((one.at_ns for one in self.coming), default=None)

    def enter_phase(self, name: str, now_ns: int) -> None:
        self.asked.append(("phase", name, now_ns))

    def change(self, policy: Policy, now_ns: int) -> None:
        self.asked.append(("policy", policy.name, now_ns))


def emission(packet: bytes, at_ns: int, *, after: bool = False, releases: int = -1) -> Emission:
    return Emission(
        packet=packet,
        at_ns=at_ns,
        toward=Direction.TO_CLIENT,
        injector="one",
        after_trigger=after,
        releases=releases,
    )


def test_a_time_that_goes_back_becomes_the_latest_and_is_counted() -> None:
    censor, tally = Told(), Tally()
    packets = [captured(0, 10), captured(1, 5), captured(2, 7), captured(3, 12)]
    assert [one.t_ns for one in replay(censor, packets, tally=tally)] == [10, 10, 10, 12]
    assert tally == Tally(packets=4, backward=2)


def test_a_frame_without_ip_keeps_its_number_and_is_counted() -> None:
    censor, tally = Told(), Tally()
    packets = [captured(0, 1, None), captured(1, 2)]
    decisions = list(replay(censor, packets, tally=tally))
    assert [one.number for one in decisions] == [0, 1]
    assert censor.asked[0] == ("decide", b"", 1)
    assert tally == Tally(packets=2, not_ip=1)


def test_phases_are_entered_before_their_packet() -> None:
    censor = Told()
    phases = [Phase("late", 9, 90), Phase("before", 0, 1), Phase("during", 1, 15), Phase("pause", 1, 16)]
    list(replay(censor, [captured(0, 10, b"a"), captured(1, 20, b"b")], phases=phases))
    assert censor.asked == [
        ("phase", "before", 1),
        ("decide", b"a", 10),
        ("phase", "during", 15),
        ("phase", "pause", 16),
        ("decide", b"b", 20),
    ]


def test_policies_change_before_their_packet_and_in_turn_with_phases() -> None:
    censor = Told()
    changes = [Change(Policy(name="second"), 1, 16), Change(Policy(name="third"), 9, 90)]
    phases = [Phase("before", 1, 15), Phase("after", 1, 17)]
    list(replay(censor, [captured(0, 10, b"a"), captured(1, 20, b"b")], phases=phases, changes=changes))
    assert censor.asked == [
        ("decide", b"a", 10),
        ("phase", "before", 15),
        ("policy", "second", 16),
        ("phase", "after", 17),
        ("decide", b"b", 20),
    ]
    with pytest.raises(TypeError, match="whose text was not loaded"):
        list(replay(censor, [captured(0, 10)], changes=[Change("name: text", 0, 1)]))


def test_what_leaves_the_box_leaves_in_the_order_of_time() -> None:
    at_once = (emission(b"before", 10), emission(b"after", 10, after=True), emission(b"at 25", 25))
    censor = Told(
        trigger=Decision(number=0, t_ns=10, verdict=Verdict.PASS, injected=at_once),
        dropped=Decision(number=1, t_ns=20, verdict=Verdict.DROP, injected=(emission(b"for it", 20, after=True),)),
        held=Decision(number=2, t_ns=30, verdict=Verdict.HOLD, release_ns=45),
        changed=Decision(number=3, t_ns=40, verdict=Verdict.PASS, rewritten=b"other bytes"),
    )
    words = (b"trigger", b"dropped", b"held", b"changed", None)
    packets = [captured(at, 10 * at + 10, word) for at, word in enumerate(words)]
    left: list[tuple[int, bytes]] = []
    list(replay(censor, packets, leaves=lambda t_ns, packet: left.append((t_ns, packet))))
    assert left == [
        (10, b"before"),
        (10, b"trigger"),
        (10, b"after"),
        (20, b"for it"),
        (25, b"at 25"),
        (40, b"other bytes"),
        (45, b"held"),
    ]


def test_what_is_still_to_come_after_the_last_packet_leaves_too() -> None:
    trigger = Decision(number=0, t_ns=10, verdict=Verdict.PASS, injected=(emission(b"y", 90), emission(b"x", 50)))
    left: list[tuple[int, bytes]] = []
    list(replay(Told(t=trigger), [captured(0, 10, b"t")], leaves=lambda t_ns, packet: left.append((t_ns, packet))))
    assert left == [(10, b"t"), (50, b"x"), (90, b"y")]


class Kept(Play):
    """A play whose packets are kept."""

    def __init__(self, text: str | Policy, *, seed: int) -> None:
        super().__init__(text, seed=seed)
        self.given: list[bytes] = []

    def give(self, packet: Packet | bytes) -> Decision:
        self.given.append(bytes(packet))
        return super().give(packet)


def test_the_capture_of_a_play_gives_its_decisions_again(tmp_path: Path) -> None:
    play = Kept(policy(SNI), seed=11)
    first = play.connect()
    greeting = hello()
    first.send(greeting[:70])
    first.send(greeting[70:])
    first.answer(b"hello")
    play.connect(sport=40001).send(get())
    play.connect(client="2001:db8::1", server="2001:db8::5").send(hello("innocent.example"))
    play.give(b"no packet at all")
    path = tmp_path / "box.pcap"
    with Writer(path) as writer:
        for decision, raw in zip(play.decisions, play.given, strict=True):
            writer.write(decision.t_ns, raw)
    again = list(replay(Censor(play.policy, seed=11), read_packets(path)))
    assert len(again) > 10
    assert sum(not one.simply_passed for one in again) > 1
    assert [json.dumps(one.row("box")) for one in again] == [json.dumps(one.row("box")) for one in play.decisions]
    assert [one.injected for one in again] == [one.injected for one in play.decisions]


def test_a_sidecar_that_a_live_box_writes_is_read(tmp_path: Path) -> None:
    sidecar = Sidecar(tmp_path / "box.json", box="box", seed=7, policy="test", policy_text="name: test\n")
    sidecar.enter("during", before_packet=120, t_ns=NOON + MS)
    sidecar.change(policy="next", policy_text="name: next\n", before_packet=130, t_ns=NOON + 2 * MS)
    assert read_sidecar(tmp_path / "box.pcap") == Recorded(
        box="box",
        seed=7,
        policy="test",
        policy_text="name: test\n",
        phases=(Phase("during", 120, NOON + MS),),
        changes=(Change("name: next\n", 130, NOON + 2 * MS),),
    )
    assert read_sidecar(tmp_path / "other.pcap") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "found Expecting property name"),
        ("[]", "found no 'box' that is str"),
        ('{"box": "b", "seed": "7"}', "found no 'seed' that is int"),
        ('{"box": "b", "seed": 7, "policy": "p", "policy_text": "", "phases": [3]}', "found no 'phase' that is str"),
    ],
)
def test_another_file_of_that_name_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "box.json").write_text(text)
    with pytest.raises(CaptureError) as error:
        read_sidecar(tmp_path / "box.pcap")
    assert str(error.value).startswith(f"{tmp_path / 'box.json'}: {found}")
    assert "expected what a live box writes beside its capture" in str(error.value)
