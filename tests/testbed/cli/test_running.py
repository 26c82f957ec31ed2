"""What every `penstock run` understands: the backend, names of policies, and the line that repeats it."""

from __future__ import annotations

import argparse

import pytest

from testbed.cli import UsageError, running


def _asked(**more: object) -> argparse.Namespace:
    usual: dict[str, object] = {
        "scenario": "evasion",
        "policy": None,
        "backend": "emulate",
        "attempts": None,
        "set": [],
        "workers": "1",
        "seed": 1,
    }
    return argparse.Namespace(**usual | more)


def test_a_run_is_virtual_if_it_is_simulated_and_then_has_no_workers() -> None:
    assert not running.is_virtual(_asked())
    assert running.is_virtual(_asked(backend="simulate"))
    with pytest.raises(UsageError, match="--backend simulat: unknown"):
        running.is_virtual(_asked(backend="simulat"))
    with pytest.raises(UsageError, match="--workers: a box in virtual time is no process"):
        running.is_virtual(_asked(backend="simulate", workers="2"))


def test_the_line_that_repeats_a_run_has_all_that_was_asked_for() -> None:
    assert running.command(_asked(), 1) == ["run", "evasion", "--seed", "1"]
    asked = _asked(policy=["a", "b.yaml"], backend="simulate", attempts=3, set=["patience=2"], seed=7)
    words = "run evasion --policy a --policy b.yaml --backend simulate --attempts 3 --set patience=2 --seed 7"
    assert running.command(asked, 1) == words.split()
    assert running.command(_asked(), 4) == ["run", "evasion", "--set", "slowdown=4", "--seed", "1"]
    assert running.command(_asked(set=["slowdown=1"]), 4) == ["run", "evasion", "--set", "slowdown=1", "--seed", "1"]


def test_policies_are_told_apart_by_their_names() -> None:
    running.distinct(["one", "two"])
    with pytest.raises(UsageError, match="two policies are called 'one'"):
        running.distinct(["one", "one"])
    with pytest.raises(UsageError, match="a policy is called 'control'"):
        running.distinct(["control"])
