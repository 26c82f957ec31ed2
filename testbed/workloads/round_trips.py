"""Round trips as an application has them: small requests one after another over one HTTPS connection.

Idle, with nothing else on the line; or beside a download of the same target, when what waits in queues on the way
makes them longer. Queues of a single flow are seen only by that flow: `rtt_s` of the transfers tells of those.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

from testbed.result import Outcome
from testbed.workload import MOST_BYTES, Ask, Observation, Target
from testbed.workloads.transfer import Step, fetch, transfer

REQUESTS = 20
#: of the answers, which name the asker's address: content that no two attempts share, so it is not compared
SMALL = Step(path="/where")
SECONDS = 5.0  #: of the download beside, unless the target names others


class RoundTrips:
    """The median of small exchanges on an idle line."""

    name = "round-trips"
    about = f"{REQUESTS} small requests over one HTTPS connection"
    protocol = "https"
    says_name = True
    heavy = True
    fills = False

    def size(self, target: Target) -> int:
        return 100 * REQUESTS

    def measure(self, ask: Ask) -> Observation:
        return exchanged(transfer(ask, [SMALL] * REQUESTS))


class RoundTripsUnderLoad:
    """The same beside a download."""

    name = "round-trips-under-load"
    about = f"{REQUESTS} small requests over one HTTPS connection, beside a download"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return MOST_BYTES

    def measure(self, ask: Ask) -> Observation:
        beside, small = targets(ask.target)
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(transfer, replace(ask, target=beside), [fetch(MOST_BYTES)], again=True)
            seen = transfer(replace(ask, target=small), [SMALL] * REQUESTS)
            loaded = load.result()
        return exchanged(seen) if loaded.outcome is Outcome.OK else loaded


def targets(target: Target) -> tuple[Target, Target]:
    """The target as the download beside has it, and as the small requests have it."""
    return replace(target, seconds=target.seconds or SECONDS, skip_s=0.0), replace(target, seconds=0.0)


def exchanged(seen: Observation) -> Observation:
    """The small requests, with the seconds from one to its answer, in the median."""
    return replace(seen, goodput=None, rtt_s=median(seen.steps_s) if seen.steps_s else None)
