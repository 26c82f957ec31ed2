"""Small requests one after another in virtual time, on an idle line or beside a download."""

from __future__ import annotations

from dataclasses import replace

from testbed.result import Outcome
from testbed.virtual.asking import Ask, Asking
from testbed.virtual.transfer import transfer
from testbed.workload import MOST_BYTES
from testbed.workloads.round_trips import REQUESTS, SMALL, exchanged, targets
from testbed.workloads.transfer import fetch


def idle(ask: Ask) -> Asking:
    """With nothing else on the line."""
    return exchanged((yield from transfer(ask, [SMALL] * REQUESTS)))


def under_load(ask: Ask) -> Asking:
    """Beside a download of the same target."""
    beside, small = targets(ask.target)
    clock = ask.lab.clock
    load = clock.process(transfer(replace(ask, target=beside), [fetch(MOST_BYTES)], again=True))
    seen = yield from transfer(replace(ask, target=small), [SMALL] * REQUESTS)
    loaded = yield load
    return exchanged(seen) if loaded.outcome is Outcome.OK else loaded
