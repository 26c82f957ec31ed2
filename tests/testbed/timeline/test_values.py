"""A timeline as a value: what cannot be built, and what a policy means for whom."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from testbed.result import CONTROL, Outcome
from testbed.timeline.values import Actor, Meant, Stream, Transfer, with_tools
from tests.testbed.timeline.pretended import POLICY, TIMELINE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"topology": "nationl"}, "did you mean 'national'"),
        ({"actors": ()}, "no actors"),
        ({"phases": (*TIMELINE.phases, TIMELINE.phases[0])}, "no phases, or two of the same name"),
        ({"actors": (dataclasses.replace(TIMELINE.actors[0], subscriber="isp"),)}, "'isp' is no subscriber"),
        (
            {"actors": (Actor(name="a", subscriber="client", streams=(Stream(transfers=("txt",), pause_s=1),)),)},
            "no transfer 'txt'; did you mean 'text'",
        ),
        ({"actors": (TIMELINE.actors[0], Actor(name="b", subscriber="client"))}, "actors at one host"),
        ({"attempts": 0}, "attempts is 0"),
        ({"stretch": 0}, "stretch is 0; expected a number from 0.05"),
    ],
)
def test_a_wrong_timeline_cannot_be_built(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        dataclasses.replace(TIMELINE, **changes)


def test_a_transfer_has_a_name_for_tables_and_a_size_that_the_lab_has() -> None:
    with pytest.raises(ValueError, match="small letters"):
        Transfer(name="A photo", about="", host="x.example", bytes=1, limit_s=1)
    with pytest.raises(ValueError, match="1 to 10,000,000"):
        Transfer(name="film", about="", host="x.example", bytes=700_000_000, limit_s=1)


def test_a_policy_means_what_the_first_entry_that_applies_says() -> None:
    def meant(phase: str, tool: str, transfer: str, policy: str = POLICY) -> Outcome | None:
        found = TIMELINE.means(policy, phase, access="fixed", tool=tool, transfer=transfer)
        return found.outcome if found else None

    assert meant("during", "", "photo") is Outcome.BLOCKED
    assert meant("during", "", "text") is None
    assert meant("during", "pretended-vpn", "text") is Outcome.BLOCKED
    assert meant("before", "", "photo") is None
    assert meant("during", "", "photo", CONTROL) is None


def test_what_is_meant_may_depend_on_the_access_and_an_exception_may_come_first() -> None:
    spared = Meant(policy=POLICY, phase="during", outcome=Outcome.OK, access="fixed")
    timeline = dataclasses.replace(TIMELINE, meant=(spared, *TIMELINE.meant))
    assert timeline.means(POLICY, "during", access="fixed", tool="", transfer="photo") is None
    assert timeline.means(POLICY, "during", access="mobile", tool="", transfer="photo") is not None


def test_all_of_the_network_and_the_time_are_slowed_down_alike() -> None:
    slow = dataclasses.replace(TIMELINE, slowdown=5, stretch=2)
    assert slow.seconds == pytest.approx(TIMELINE.seconds * 10)
    assert slow.network.delay("client", "web") == pytest.approx(5 * TIMELINE.network.delay("client", "web"))


def test_some_tools_alone_keep_those_who_use_none() -> None:
    with pytest.raises(ValueError, match="no tool 'vpn'"):
        with_tools(TIMELINE, ["vpn"])
    assert with_tools(TIMELINE, ["pretended-vpn"]) == TIMELINE
    assert [actor.name for actor in with_tools(TIMELINE, []).actors] == ["anna"]
