"""A page over HTTP/3 in virtual time, directly, past censors, and through tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed.result import Outcome
from testbed.virtual.passage import VirtualPassages
from testbed.virtual.web_h3 import web_h3
from testbed.workload import Observation
from tests.testbed.virtual.asking import ask, do


def test_a_page_comes_and_its_handshake_is_one() -> None:
    asked = ask("web-h3")
    seen = do(asked, web_h3(asked))
    assert (seen.outcome, seen.failure, seen.bytes) == (Outcome.OK, "", 41)
    assert seen.connect_s == seen.tls_s == pytest.approx(2 * 0.046, rel=0.02)


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [("tspu-quic-2022", Outcome.BLOCKED), ("sni-drop", Outcome.OK), ("dns-inject", Outcome.BLOCKED)],
)
def test_who_filters_quic_blocks_it_and_who_filters_tls_over_tcp_does_not(policy: str, outcome: Outcome) -> None:
    asked = ask("web-h3", policy)
    assert do(asked, web_h3(asked)).outcome is outcome


@pytest.mark.parametrize(("tool", "outcome"), [("wireguard", Outcome.OK), ("ssh", Outcome.NO_RESULT)])
def test_it_goes_through_vpns_and_past_proxies(tool: str, outcome: Outcome) -> None:
    asked = ask("web-h3")

    def attempt() -> Generator[Event, Any, Observation]:
        passages = VirtualPassages(asked.lab, "client", 10.0)
        yield from passages.open(tool)
        return (yield from web_h3(dataclasses.replace(asked, tunnel=passages.passage.tunnel)))

    seen = do(asked, attempt())
    assert seen.outcome is outcome
    assert ("it went past the tool" in seen.note) == (outcome is Outcome.NO_RESULT)
