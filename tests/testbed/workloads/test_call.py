"""A call in a lab, under what censors do to it, and how its report is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.call import Call, observe
from tests.testbed.workloads.asking import ask_in

CALL = Call()
#: what is done to it, what comes of it, and what is said of it
SPOILED = [
    ("drop: flow", Outcome.BLOCKED, "the relay did not answer"),
    ("police: {rate: 32 kbit/s, burst: 4 kB, per: flow}", Outcome.DEGRADED, "score 2.0, lost 31."),
    ("delay: 300 ms", Outcome.DEGRADED, "lost 0.0 % of what was heard"),
    ("freeze: {after: 100 packets}", Outcome.BLOCKED, "voice broke off 6."),
]
REPORT: dict[str, Any] = {
    "ended": "all",
    "reason": "",
    "seconds": 8.1,
    "connect_s": 0.1,
    "first_voice_s": 0.2,
    "voice_s": 7.92,
    "received": 396,
    "octets": 396 * 90,
    "expected": 400,
    "sent": 400,
    "heard": 400,
    "jitter_s": 0.001,
    "far_jitter_s": 0.001,
    "rtt_s": 0.04,
    "least_rtt_s": 0.039,
    "longest_gap_s": 0.03,
    "silent_s": 0.0,
    "unheard_s": 0.5,
}


def policy(folder: Path, action: str) -> str:
    """A policy that does this to calls."""
    path = folder / "calls.yaml"
    match = "{transport: udp, server.port: 3478}"
    path.write_text(f"name: calls\nrules:\n  - name: it\n    match: {match}\n    action: {{{action}}}\n")
    return str(path)


@pytest.mark.lab
def test_a_call_through_a_box_that_only_forwards_is_good(transfer_lab: Lab) -> None:
    with CALL.serve(transfer_lab.host("web")):
        seen = CALL.measure(ask_in(transfer_lab, "call", seconds=3.0))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert seen.goodput == pytest.approx(36_000, rel=0.05)
    assert seen.rtt_s is not None
    assert 0 < seen.rtt_s < 0.3
    assert seen.note.startswith("score 4.")


@pytest.mark.lab
@pytest.mark.parametrize(("action", "outcome", "word"), SPOILED[1:3])
def test_what_censors_do_to_it_is_heard(tmp_path: Path, action: str, outcome: Outcome, word: str) -> None:
    with Lab(policy(tmp_path, action)) as lab, CALL.serve(lab.host("web")):
        seen = CALL.measure(ask_in(lab, "call", limit_s=4.0))
    assert (seen.outcome, word.partition(",")[0] in seen.note) == (outcome, True), seen.note


def _judged(**changes: Any) -> tuple[Outcome, str]:
    class Asked:
        target = None

    seen = observe(Asked(), REPORT | changes)  # type: ignore[arg-type]
    return seen.outcome, seen.failure


def test_what_a_report_means() -> None:
    assert _judged() == (Outcome.OK, "")
    assert _judged(received=300) == (Outcome.DEGRADED, "")
    assert _judged(heard=300) == (Outcome.DEGRADED, "")
    assert _judged(rtt_s=0.8) == (Outcome.DEGRADED, "")
    assert _judged(silent_s=4.0) == (Outcome.BLOCKED, "generic_timeout_error")
    assert _judged(connect_s=None, received=0) == (Outcome.BLOCKED, "generic_timeout_error")
    assert _judged(connect_s=None, received=0, reason="Connection refused") == (Outcome.BLOCKED, "connection_refused")
    assert _judged(ended="resolve", failure="dns_nxdomain_error") == (Outcome.BLOCKED, "dns_nxdomain_error")
    assert _judged(rtt_s=None, far_jitter_s=None) == (Outcome.OK, "")
