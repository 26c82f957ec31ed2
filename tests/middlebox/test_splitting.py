"""Which policies several engines may share, in the exact words, and that they then decide as one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.censor import Censor
from middlebox.drivers.sharing import worker_of
from middlebox.policy import Policy
from middlebox.splitting import unsplittable
from middlebox.verdict import Decision
from tests.middlebox.dialogue import NOON, policy
from tests.middlebox.test_interest import S
from tests.middlebox.test_interest import _policy as random_policy
from tests.middlebox.test_interest import _traffic as traffic

PROFILES = sorted(Path("middlebox/profiles").glob("*.yaml"))

_RULE = """
name: p
BOX
rules:
  - name: r
    match: {tls.sni: blocked.example}
    REST
"""


def _policy(rest: str, box: str = "") -> Policy:
    return policy(_RULE.replace("REST", rest).replace("BOX", box))


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("action: drop\n    memory: {for: 9 s, key: client}", "remembers by client address (memory: key: client)"),
        ("action: drop\n    memory: {for: 9 s, key: server}", "remembers by server address (memory: key: server)"),
        (
            "action: drop\n    threshold: {more_than: 2, within: 9 s, per: client}",
            "counts flows by client address (threshold: per: client)",
        ),
        (
            "action: drop\n    threshold: {more_than: 2, within: 9 s, per: server}",
            "counts flows by server address (threshold: per: server)",
        ),
        (
            "action: {police: {rate: 1 Mbit/s, per: client}}",
            "has one rate for all flows of a client (police: per: client)",
        ),
        (
            "action: {shape: {rate: 1 Mbit/s, per: server}}",
            "has one rate for all flows to a server (shape: per: server)",
        ),
        (
            "action: {police: {rate: 1 Mbit/s, per: class}}",
            "has one rate for all flows of the rule (police: per: class)",
        ),
    ],
)
def test_what_is_wider_than_two_addresses_is_told(rest: str, why: str) -> None:
    shared = _policy(rest)
    assert unsplittable(shared) == (
        f"policy 'p' ({shared.path}) cannot be shared among workers, each of which sees only the pairs of hosts that "
        f"are its own: rule 'r' {why}; use --workers 1"
    )


@pytest.mark.parametrize(
    ("box", "why"),
    [
        (
            "box: {tcp: {end: [rst], end_check: nothing}}",
            "its box takes one connection's end for the end of all (box: end_check: nothing)",
        ),
        (
            "box: {limits: {flows: 100, residual: 5}}",
            "its box has a memory that all flows share (box: limits: flows, residual)",
        ),
    ],
)
def test_what_the_box_shares_is_told(box: str, why: str) -> None:
    assert f": {why}; use" in unsplittable(_policy("action: drop", box))


@pytest.mark.parametrize("key", ["2-tuple", "3-tuple", "4-tuple"])
def test_what_two_addresses_share_may_be_split(key: str) -> None:
    assert not unsplittable(_policy(f"action: drop\n    memory: {{for: 9 s, key: {key}}}"))
    if key != "4-tuple":  # which is one flow: there is nothing to count
        assert not unsplittable(_policy(f"action: drop\n    threshold: {{more_than: 2, within: 9 s, per: {key}}}"))
    assert not unsplittable(_policy("action: {police: {rate: 1 Mbit/s, per: 2-tuple}}"))


def test_of_the_shipped_policies_one_is_too_wide() -> None:
    assert [path.stem for path in PROFILES if unsplittable(Policy.load(path))] == ["vpn-block-address"]


def _told(decision: Decision) -> tuple[object, ...]:
    """A decision without its number, which is each engine's own."""
    injected = [(one.packet, one.at_ns) for one in decision.injected]
    row = decision.row("")
    return (*(row[key] for key in row if key != "packet"), injected, decision.rewritten, decision.disposition)


def _play(shared: Policy, draw: random.Random, count: int = 80) -> int:
    """Give random traffic to one engine and to three; how many decisions were more than to let pass."""
    whole = Censor(shared, seed=5)
    parts = [Censor(shared, seed=5) for _ in range(3)]
    for one in (whole, *parts):
        one.enter_phase("", NOON)
    now_ns, struck = NOON, 0
    for packet in traffic(draw, count):
        now_ns += draw.choice((1_000, 1_000_000, S // 3, 3 * S))
        for one in (whole, *parts):
            one.due(now_ns)
        decision = whole.decide(packet, now_ns)
        assert _told(parts[worker_of(packet, 3)].decide(packet, now_ns)) == _told(decision)
        struck += not decision.simply_passed
    return struck


def test_the_traffic_of_these_tests_is_not_all_one_workers() -> None:
    assert {worker_of(packet, 3) for packet in traffic(random.Random(2), 300)} == {0, 1, 2}


@settings(max_examples=80)
@given(st.integers(0, 2**64))
def test_several_engines_decide_as_one_whatever_the_policy(seed: int) -> None:
    draw = random.Random(seed)
    shared = random_policy(draw)
    while unsplittable(shared):
        shared = random_policy(draw)
    _play(shared, draw)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_several_engines_decide_as_one_under_any_shipped_policy(path: Path) -> None:
    shared = Policy.load(path)
    if not unsplittable(shared):
        _play(shared, random.Random(path.stem), 300)


def test_what_is_too_wide_would_be_decided_otherwise() -> None:
    draw = random.Random(1)
    wide = policy(
        "name: p\nrules:\n  - {name: r, match: {tls.sni: {under: [blocked.example]}}, action: drop, "
        "memory: {for: 500 s, key: server}}\n"
    )
    with pytest.raises(AssertionError):
        _play(wide, draw, 2000)
