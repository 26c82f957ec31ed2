"""The scenario and its policy say the same: whose transfers are policed, and when."""

from __future__ import annotations

import dataclasses

import pytest

from middlebox.action import Police
from middlebox.load import load_whole
from middlebox.verdict import Verdict
from scenarios.pakistan_2024_08 import MEDIA_TRANSFERS, POLICY, SCENARIO, THROTTLE, TRIAL, VPN
from testbed.pakistan import OPERATORS
from testbed.result import Outcome
from tests.middlebox.dialogue import Play, hello
from tests.middlebox.dissect.captured import packets

MOBILE, FIXED = "10.0.0.7", "10.0.16.7"


def play(phase: str) -> Play:
    box = Play(load_whole(POLICY).policy)
    box.censor.enter_phase(phase, box.now_ns)
    return box


def flood(box: Play, client: str, name: str) -> int:
    """How many of 100 full packets from the server, a millisecond apart, are lost."""
    flow = box.connect(client=client, server="203.0.113.31", sport=40_000 + len(box.decisions))
    flow.send(hello(name))
    lost = 0
    for _ in range(100):
        lost += box.give(flow.to_client(b"x" * 1400)).verdict is Verdict.DROP
        flow.peer += 1400
    return lost


@pytest.mark.parametrize("phase", [THROTTLE, TRIAL])
def test_media_are_policed_on_mobile_lines_alone_and_text_is_not(phase: str) -> None:
    box = play(phase)
    assert flood(box, MOBILE, "media.chat.example") > 90
    assert flood(box, MOBILE, "chat.example") == 0
    assert flood(box, FIXED, "media.chat.example") == 0


@pytest.mark.parametrize("phase", ["before", "after"])
def test_before_and_after_nothing_is(phase: str) -> None:
    assert flood(play(phase), MOBILE, "media.chat.example") == 0


def test_what_began_before_the_throttle_is_caught_and_is_free_again_afterwards() -> None:
    box = play("before")
    flow = box.connect(client=MOBILE)
    flow.send(hello("media.chat.example"))

    def lost() -> int:
        count = 0
        for _ in range(50):
            count += box.give(flow.to_client(b"x" * 1400)).verdict is Verdict.DROP
            flow.peer += 1400
        return count

    assert lost() == 0
    box.censor.enter_phase(THROTTLE, box.now_ns)
    assert lost() > 40
    box.censor.enter_phase("after", box.now_ns)
    assert lost() == 0


@pytest.mark.parametrize("capture", ["wireguard", "openvpn-udp"])
def test_vpns_are_disturbed_in_the_trial_alone(capture: str) -> None:
    quiet = play(THROTTLE)
    assert all(quiet.give(one).verdict is Verdict.PASS for one in packets(capture))
    hits = 0
    for seed in range(40):
        box = Play(load_whole(POLICY).policy, seed=seed)
        box.censor.enter_phase(TRIAL, box.now_ns)
        box.wait(12)  # the good minutes
        hits += box.give(packets(capture)[0]).verdict is Verdict.DROP
    assert 10 <= hits <= 30  # one in two


def test_the_rate_and_the_burst_lie_in_the_range_that_the_record_proposes() -> None:
    loaded = load_whole(POLICY)
    (action,) = next(rule for rule in loaded.policy.rules if rule.name == "media-on-mobile").actions
    assert isinstance(action, Police)
    assert 64_000 <= action.rate * 8 <= 1_000_000
    assert 8_000 <= action.burst <= 128_000
    said = {one.what: str(one.grade) for one in loaded.sources}
    assert {"64 kbit/s", "8 kB at once"} <= set(said), "each with its source"


def test_a_voice_note_does_not_arrive_within_the_patience_and_a_text_does() -> None:
    rate, burst = 64_000 / 8, 8_000
    for name in MEDIA_TRANSFERS:
        one = SCENARIO.transfer(name)
        assert (one.bytes - burst) / rate > one.limit_s
    assert SCENARIO.transfer("chat-text").bytes < burst


def test_what_is_meant_follows_the_policy() -> None:
    def meant(phase: str, access: str, tool: str, transfer: str) -> Outcome:
        found = SCENARIO.means(POLICY, phase, access=access, tool=tool, transfer=transfer)
        return found.outcome if found else Outcome.OK

    assert meant(THROTTLE, "mobile", "", "photo") is Outcome.THROTTLED
    assert meant(THROTTLE, "mobile", "wireguard", "photo") is Outcome.OK
    assert meant(THROTTLE, "fixed", "", "photo") is Outcome.OK
    assert meant(TRIAL, "fixed", "openvpn-udp", "chat-text") is Outcome.DEGRADED
    assert meant("after", "mobile", "", "photo") is Outcome.OK


def test_every_operator_is_there_twice_and_both_kinds_of_access_have_both_vpns_between_them() -> None:
    assert len(SCENARIO.actors) == 2 * len(OPERATORS)
    assert set(VPN) == set(OPERATORS)
    assert {VPN["jazz"], VPN["zong"]} == {VPN["ptcl"], VPN["nayatel"]} == {"wireguard", "openvpn-udp"}


def test_a_run_takes_less_than_ten_minutes() -> None:
    assert 2 * SCENARIO.seconds < 9 * 60  # and labs come up and go


def test_every_claim_is_about_the_scenarios_own_phases_and_transfers() -> None:
    phases = {one.name for one in SCENARIO.phases}
    for claim in SCENARIO.claims:
        assert claim.phase in phases
        assert claim.policy == POLICY
        assert all(SCENARIO.transfer(name) for name in claim.transfers)
    assert dataclasses.replace(SCENARIO, stretch=2).seconds == 2 * SCENARIO.seconds
