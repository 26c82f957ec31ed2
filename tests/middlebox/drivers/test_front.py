"""What any box answers, whoever decides on its packets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import pytest

from middlebox.drivers.control import Message
from middlebox.drivers.front import Front
from middlebox.policy import Policy


class Plain(Front):
    """A box that decides on nothing, and notes what it was told."""

    def __init__(self) -> None:
        options = argparse.Namespace(name="plain", queue=0, policy="sni-drop")
        super().__init__(Policy.load("sni-drop"), options, workers=3)
        self.told: list[object] = []

    def enter(self, phase: str) -> int:
        self.told.append(phase)
        return 5

    def reload(self, source: str) -> int:
        if source == "faulty":
            raise ValueError("the policy stays as it is: it is faulty")
        self.told.append(source)
        return 6

    def stats(self, window: str, *, reset: bool) -> Message:
        return {"window": window, "reset": reset}

    def hits(self) -> Mapping[str, object]:
        return {"sni": 2}


def test_each_request_comes_to_who_can_answer_it() -> None:
    box = Plain()
    assert box.answer({"do": "stats", "window": "w", "reset": True}) == {"window": "w", "reset": True}
    assert box.answer({"do": "rules"})["hits"] == {"sni": 2}
    assert box.answer({"do": "phase", "name": "during"}) == {"phase": "during", "before_packet": 5}
    assert box.answer({"do": "reload"}) == {"policy": "sni-drop", "before_packet": 6}
    assert box.answer({"do": "reload", "policy": "other"})["before_packet"] == 6
    assert box.told == ["during", "sni-drop", "other"]
    ping = box.answer({"do": "ping"})
    assert (ping["box"], ping["workers"], ping["data_plane"]) == ("plain", 3, "queue")
    assert not box.stopping
    assert box.answer({"do": "stop"}) == {"stopping": True}
    assert box.stopping


@pytest.mark.parametrize("request_", [{"do": "phase"}, {"do": "reload", "policy": 7}, {"do": "dance"}, {}])
def test_what_cannot_be_answered_is_refused_with_a_reason(request_: Message) -> None:
    with pytest.raises(ValueError, match=r"needs its name|may name a policy|no request"):
        Plain().answer(request_)


def test_a_signal_has_the_policy_read_again_once_and_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    box = Plain()
    box.reload_if_told()
    box.reloading = True
    box.reload_if_told()
    box.reload_if_told()
    assert box.told == ["sni-drop"]
    box.reloading, box.source = True, "faulty"
    box.reload_if_told()
    assert capsys.readouterr().err == "box 'plain': the policy stays as it is: it is faulty\n"
