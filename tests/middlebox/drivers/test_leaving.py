"""What is left out of a virtual box's sight changes nothing that can be seen."""

from __future__ import annotations

import json

import pytest

from middlebox.drivers.leaving import Leaving
from middlebox.packet import ACK, FIN, SYN
from middlebox.verdict import Decision, Disposition, Verdict
from tests.middlebox.dialogue import policy
from tests.middlebox.drivers.test_virtual import POLICY, conversations, virtual

KEY = (b"\x0a\0\0\1", 40_000, b"\xcb\0\x71\1", 443)
BACK = (KEY[2], KEY[3], KEY[0], KEY[1])
S = 1_000_000_000
POLICED = """
name: policed
rules:
  - name: sni
    match: {tls.sni: {under: blocked.example}}
    action: {police: {rate: 8 kbit/s, burst: 1500 B, per: flow, direction: to-client}}
"""
RESET = """
name: reset
rules: [{name: sni, match: {tls.sni: {under: blocked.example}}, action: {reset: {toward: both}}}]
"""


def said(lines: list[bytes]) -> list[dict[str, object]]:
    """The log without the packets' numbers."""
    return [{key: value for key, value in json.loads(one).items() if key != "packet"} for one in lines]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("text", [POLICY, POLICED, RESET], ids=["everything", "policed", "reset"])
def test_what_leaves_the_box_and_what_it_logs_are_the_same(text: str, seed: int) -> None:
    told, packets = policy(text), conversations(seed)
    out, log, capture = virtual(told, packets)
    less_out, less_log, less = virtual(told, packets, Leaving(told))
    assert less_out == out
    assert said(less_log) == said(log)
    if text is not POLICY:
        assert len(less.said) < len(capture.said) - 50


def decision(disposition: Disposition, *, rule: str = "", policed_by: str = "", flow: str = "") -> Decision:
    return Decision(0, 5 * S, Verdict.PASS, flow, rule, disposition=disposition, policed_by=policed_by)


def test_a_flow_that_passes_is_shown_once_a_second_and_when_it_begins_anew() -> None:
    leaving = Leaving(policy(RESET))
    assert not leaving.passes(KEY, ACK, 5 * S)
    leaving.note(KEY, ACK, decision(Disposition.PASS))
    assert leaving.passes(KEY, ACK, 5 * S)
    assert leaving.passes(BACK, ACK, 6 * S - 1)
    assert not leaving.passes(BACK, ACK, 6 * S)
    leaving.note(BACK, ACK, decision(Disposition.PASS))
    assert not leaving.passes(KEY, SYN, 5 * S)
    assert not leaving.passes(KEY, ACK, 5 * S)


def test_of_a_policed_flow_the_other_direction_passes() -> None:
    leaving = Leaving(policy(POLICED))
    police = decision(Disposition.POLICE, policed_by="sni", flow="tcp 10.0.0.1:40000>203.0.113.1:443")
    leaving.note(BACK, ACK, police)
    assert leaving.passes(KEY, ACK, 5 * S)
    assert not leaving.passes(BACK, ACK, 5 * S)


def test_what_is_dropped_or_not_decided_or_ends_is_asked_about() -> None:
    leaving = Leaving(policy(RESET))
    for disposition in (Disposition.DROP, Disposition.INSPECT):
        leaving.note(KEY, ACK, decision(disposition, rule="sni"))
    leaving.note(KEY, FIN | ACK, decision(Disposition.PASS))
    assert not leaving.passes(KEY, ACK, 5 * S)


def test_when_some_are_remembered_all_are_asked_about_again() -> None:
    leaving = Leaving(policy(RESET))
    leaving.note(KEY, ACK, decision(Disposition.PASS))
    leaving.revoke()
    assert not leaving.passes(KEY, ACK, 5 * S)
    assert not leaving.passes(BACK, ACK, 5 * S)
