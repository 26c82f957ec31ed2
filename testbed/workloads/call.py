"""A voice call through a media relay: whether it stands, what is lost, and what people would say of it.

Traffic and packets are those of a call (`testbed.calls`); nobody speaks, and no codec runs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from testbed import failure
from testbed.calls.ends import CEASED_S, FRAME_S, PAYLOAD
from testbed.calls.quality import POOR, score
from testbed.result import Outcome
from testbed.workload import Ask, Observation, Server, Target, no_result, report_of
from testbed.workloads.beside import Beside
from testbed.workloads.dns import look_up

SECONDS = 8.0  #: of voice, unless the target names others
_GRACE_S = 5.0


class Call:
    """`Target.seconds` of voice both ways; goodput is that of the voice heard, time to first byte that to the first."""

    name = "call"
    about = "a voice call through a media relay: STUN, then RTP both ways"
    protocol = "stun"
    says_name = True
    heavy = True
    fills = False

    def size(self, target: Target) -> int:
        return round((target.seconds or SECONDS) / FRAME_S) * PAYLOAD

    def serve(self, server: Server) -> Beside:
        """The relay, on the host that serves."""
        return Beside(server, [sys.executable, "-I", str(Path(__file__).with_name("call_relay.py"))])

    def measure(self, ask: Ask) -> Observation:
        if ask.proxy:
            return no_result(f"a call is made of datagrams, which {ask.target.tool} does not carry")
        script, seconds = Path(__file__).with_name("call_client.py"), ask.target.seconds or SECONDS
        words = [sys.executable, "-I", str(script), ask.target.host, str(ask.target.family)]
        words += [str(seconds), str(ask.limit_s), ask.bind]
        report = report_of(ask.host.run(words, timeout=ask.limit_s + seconds + _GRACE_S), _GRACE_S)
        if isinstance(report, Observation):
            return report
        if report["ended"] == "resolve":
            why, note = look_up(ask)
            report["failure"] = why or failure.DNS_TEMPORARY
            report["reason"] = f"{report['reason']}; asked again: {note or why or 'resolved'}"
        return observe(ask, report)


class Asked(Protocol):
    """What is known of a call that is judged, in a lab or in virtual time."""

    @property
    def target(self) -> Target: ...


def observe(ask: Asked, report: Mapping[str, Any]) -> Observation:
    """What `Caller.told`, with the call's end, as what was seen.

    A call that never stood, in which no voice came, or which broke off is blocked; one whose score is poor is degraded,
    whatever the control's was.
    """
    seconds, reason = float(report["seconds"]), str(report.get("reason", ""))
    if report["ended"] != "all":
        named = report.get("failure") or failure.from_text(reason) or failure.unknown(reason)
        return Observation(outcome=Outcome.BLOCKED, failure=named, seconds=seconds, note=reason)
    connect_s, received = report["connect_s"], int(report["received"])
    if connect_s is None or not received:
        named = failure.from_text(reason) or failure.TIMEOUT
        what = "the relay did not answer" if connect_s is None else "the relay answered, but no voice came"
        return Observation(outcome=Outcome.BLOCKED, failure=named, seconds=seconds, connect_s=connect_s, note=what)
    expected, sent = int(report["expected"]), int(report["sent"])
    lost = max(0.0, 1 - received / expected)
    unheard = max(0.0, 1 - int(report["heard"]) / sent)
    rtt_s = report["rtt_s"]
    jitter_s = max(report["jitter_s"], report["far_jitter_s"] or 0.0)
    # people hear each other: the worse direction is what they complain of
    worth = score(rtt_s or 0.0, jitter_s, max(lost, unheard))
    note = (
        f"score {worth:.1f}, lost {100 * lost:.1f} % of what was heard and {100 * unheard:.1f} % of what was said, "
        f"jitter {1000 * jitter_s:.0f} ms, longest gap {report['longest_gap_s']:.2f} s"
    )
    ceased = [
        f"{what} broke off {report[name]:.1f} s before the end"
        for name, what in (("silent_s", "the other's voice"), ("unheard_s", "one's own voice"))
        if report[name] >= CEASED_S
    ]
    outcome = Outcome.BLOCKED if ceased else Outcome.DEGRADED if worth < POOR else Outcome.OK
    voice_s = float(report["voice_s"])
    return Observation(
        outcome=outcome,
        failure=failure.TIMEOUT if ceased else "",
        seconds=seconds,
        time_to_first_byte=report["first_voice_s"],
        goodput=8 * int(report["octets"]) / voice_s if voice_s and not ceased else None,
        bytes=int(report["octets"]),
        connect_s=connect_s,
        rtt_s=rtt_s,
        min_rtt_s=report["least_rtt_s"],
        note="; ".join([*ceased, note]),
    )
