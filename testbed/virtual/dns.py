"""A name's addresses in virtual time: one question, and the first answer is believed, as by a stub resolver."""

from __future__ import annotations

from testbed.result import Outcome
from testbed.simulate.chance import stream
from testbed.simulate.names import look_up
from testbed.virtual.asking import Ask, Asking, rounded
from testbed.workload import Observation
from testbed.workloads.dns import forged


def dns(ask: Ask) -> Asking:
    """A name's addresses, as dig asks for them; dig knows no proxies, and asks past them."""
    found = yield from look_up(
        ask.lab.host(ask.subscriber) if ask.via is None or ask.via.proxy else ask.resolving,
        ask.lab.resolver,
        ask.target.host,
        random=stream(ask.lab.seed, f"dns {ask.source} {ask.lab.clock.now_ns}"),
        family=ask.target.family,
        limit_s=ask.limit_s,
        source=ask.sources[0],
    )
    why, note = found.failure, ""
    if not why:
        why, note = forged(ask.target.host, found.addresses, ask.truth)
    return Observation(
        outcome=Outcome.BLOCKED if why else Outcome.OK,
        failure=why,
        seconds=rounded(found.seconds),
        time_to_first_byte=rounded(found.seconds) if found.size else None,
        bytes=found.size or None,
        note=note,
    )
