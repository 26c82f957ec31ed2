"""A speed test in virtual time: several connections at once for some seconds, one way, as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from testbed.virtual.asking import Application, Ask, Asking
from testbed.virtual.transfer import transfer
from testbed.workload import MOST_BYTES, Observation
from testbed.workloads.speed_test import CONNECTIONS, timed, together
from testbed.workloads.transfer import Step, fetch, send


def _test(step: Callable[[int], Step], *, sends: bool) -> Application:
    def measure(ask: Ask) -> Asking:
        asked = replace(ask, target=timed(ask.target))
        clock = ask.lab.clock
        started = [
            clock.process(transfer(asked, [step(MOST_BYTES)], sends=sends, again=True)) for _ in range(CONNECTIONS)
        ]
        yield clock.all_of(started)
        seen: list[Observation] = [one.value for one in started if one.value is not None]
        return together(seen, asked.target)

    return measure


#: the two halves
down, up = _test(fetch, sends=False), _test(send, sends=True)
