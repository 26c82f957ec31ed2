"""What the scenario says that each policy means, held against recorded VPNs."""

from __future__ import annotations

import pytest

from middlebox.load import load
from middlebox.verdict import Verdict
from scenarios.vpn_disruption import DURING, FACTS, SCENARIO
from testbed.result import Outcome
from testbed.tools import TOOLS
from tests.middlebox.dialogue import Play, hello
from tests.middlebox.test_profiles_vpn import between

#: tool -> its recorded conversation
RECORDED = {
    "wireguard": "wireguard",
    "openvpn-udp": "openvpn-udp",
    "openvpn-tcp": "openvpn-tcp",
    "openvpn-tls-crypt": "openvpn-tls-crypt",
    "ikev2": "ikev2",
    "ssh": "ssh",
    "shadowsocks": "shadowsocks",
}
CLIENT, OTHER = "10.0.0.1", "203.0.113.9"


def struck(policy: str, tool: str, server: str = OTHER, rounds: int = 1) -> bool:
    """Whether any packet of some conversations is lost, or one of their flows is known for what it is."""
    play = Play(load(policy))
    for number in range(rounds):
        for one in between(RECORDED[tool], f"10.0.1.{number + 1}", server):
            decision = play.give(one)
            if decision.verdict is Verdict.DROP or decision.rule:
                return True
    return False


def meant(policy: str, tool: str) -> Outcome:
    found = SCENARIO.means(policy, DURING, access="fixed", tool=tool, transfer="object")
    return found.outcome if found else Outcome.OK


def test_every_tool_that_there_is_is_tried_on_a_line_of_its_own_beside_one_without() -> None:
    assert set(SCENARIO.tools) == set(TOOLS) == set(FACTS)
    assert SCENARIO.actors[0].tool == ""
    assert len({actor.subscriber for actor in SCENARIO.actors}) == len(TOOLS) + 1


#: recordings that end before the threshold of vpn-kill-after-data
TOO_SHORT = {("vpn-kill-after-data", tool) for tool in ("openvpn-tcp", "openvpn-tls-crypt", "ikev2")}
PAIRS = [
    (policy, tool)
    for policy in SCENARIO.policies
    for tool in RECORDED
    if policy != "vpn-allow-list" and (policy, tool) not in TOO_SHORT
]


@pytest.mark.parametrize(("policy", "tool"), PAIRS)
def test_each_policy_strikes_each_recorded_tool_as_the_scenario_says(policy: str, tool: str) -> None:
    assert struck(policy, tool, rounds=8) == (meant(policy, tool) is not Outcome.OK)  # eight, for those by chance


@pytest.mark.parametrize(("policy", "tool"), sorted(TOO_SHORT))
def test_short_tunnels_are_over_before_they_are_killed(policy: str, tool: str) -> None:
    assert not struck(policy, tool)


@pytest.mark.parametrize("tool", RECORDED)
def test_the_allow_list_spares_the_registered_servers(tool: str) -> None:
    registered = "198.51.100.201"
    assert struck("vpn-allow-list", tool)
    assert not struck("vpn-allow-list", tool, registered)


@pytest.mark.parametrize("policy", SCENARIO.policies)
def test_an_ordinary_page_is_touched_by_none(policy: str) -> None:
    play = Play(load(policy))
    flow = play.connect()
    decision = flow.send(hello("innocent.example"))
    assert (decision.verdict, decision.rule) == (Verdict.PASS, "")
    assert meant(policy, "") is Outcome.OK


def test_a_run_takes_less_than_twelve_minutes() -> None:
    assert SCENARIO.seconds * (len(SCENARIO.policies) + 1) < 9 * 60


def test_each_meaning_says_by_which_fact_the_tool_is_known() -> None:
    for one in SCENARIO.meant:
        assert one.policy in SCENARIO.policies
        assert one.tools is not None
        assert all(FACTS[tool] in one.why for tool in one.tools)
