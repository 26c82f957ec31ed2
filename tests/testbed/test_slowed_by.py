"""Who slows flows down, as rows say it."""

from __future__ import annotations

import pytest

from middlebox.policy import Policy
from testbed.result import Outcome
from testbed.slowed_by import of_row, slowed_by
from tests.middlebox.dialogue import policy


def slow(*actions: str) -> Policy:
    rules = "\n".join(
        f"      - {{name: r{number}, match: {{server.port: {number + 1}}}, action: {action}}}"
        for number, action in enumerate(actions)
    )
    return policy(f"""
    name: slow
    rules:
{rules}
    """)


@pytest.mark.parametrize(
    ("actions", "in_kernel", "said"),
    [
        (["{police: 1 Mbit/s}"], ["r0"], "kernel"),
        (["{police: 1 Mbit/s}"], [], "engine"),
        (["{police: 1 Mbit/s}", "{lose: 1 %}"], ["r0"], "kernel and engine"),
        (["{lose: 1 %}", "drop"], [], "engine"),
        (["drop"], [], ""),
    ],
)
def test_a_policy_is_carried_out_by_whom_the_box_says(actions: list[str], in_kernel: list[str], said: str) -> None:
    assert slowed_by(slow(*actions), {"policed_by_kernel": in_kernel}) == said


def test_without_a_policy_or_a_word_of_the_box_nothing_is_claimed_of_the_kernel() -> None:
    assert slowed_by(None, None) == ""
    assert slowed_by(slow("{police: 1 Mbit/s}"), None) == "engine"


def test_a_row_that_nothing_is_meant_for_names_nobody() -> None:
    assert of_row("engine", Outcome.OK) == ""
    assert of_row("engine", Outcome.THROTTLED) == "engine"
