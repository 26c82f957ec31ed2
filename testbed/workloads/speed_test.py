"""A speed test: several connections at once for some seconds, one way, and what they come to together.

Like the public ones it speaks with a name of its own, which a censor may leave alone while it slows all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from testbed.result import Outcome
from testbed.series import Series
from testbed.workload import MOST_BYTES, Ask, Observation, Target
from testbed.workloads.transfer import INTERVAL_S, fetch, send, transfer

CONNECTIONS = 3
SECONDS, SKIP_S = 5.0, 1.0  #: unless the target names others


class _SpeedTest:
    protocol = "https"
    says_name = True
    heavy = True
    fills = True
    sends = False

    def size(self, target: Target) -> int:
        return CONNECTIONS * MOST_BYTES

    def measure(self, ask: Ask) -> Observation:
        target = timed(ask.target)
        asked = replace(ask, target=target)
        step = send(MOST_BYTES) if self.sends else fetch(MOST_BYTES)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            all_ = [pool.submit(transfer, asked, [step], sends=self.sends, again=True) for _ in range(CONNECTIONS)]
            return together([one.result() for one in all_], target)


class SpeedTestDown(_SpeedTest):
    """The download half."""

    name = "speed-test-down"
    about = f"a speed test: {CONNECTIONS} downloads at once"


class SpeedTestUp(_SpeedTest):
    """The upload half."""

    name = "speed-test-up"
    about = f"a speed test: {CONNECTIONS} uploads at once"
    sends = True


def timed(target: Target) -> Target:
    """The target with an end."""
    return target if target.seconds else replace(target, seconds=SECONDS, skip_s=SKIP_S)


def together(seen: Sequence[Observation], target: Target) -> Observation:
    """The connections as one: their sum, and a failure or the want of a result of any of them as that of all."""
    bad = [one for one in seen if one.outcome is not Outcome.OK]
    if bad:
        return min(bad, key=lambda one: one.outcome is not Outcome.NO_RESULT)
    series = added([one.series for one in seen if one.series is not None])
    first = seen[0]
    again = [one.retransmitted for one in seen if one.retransmitted is not None]
    return Observation(
        outcome=Outcome.OK,
        seconds=max(one.seconds or 0.0 for one in seen),
        time_to_first_byte=first.time_to_first_byte,
        goodput=series.goodput(target.skip_s),
        bytes=sum(one.bytes or 0 for one in seen),
        connect_s=first.connect_s,
        tls_s=first.tls_s,
        rtt_s=first.rtt_s,
        min_rtt_s=min((one.min_rtt_s for one in seen if one.min_rtt_s is not None), default=None),
        retransmitted=sum(again) / len(again) if again else None,
        exit_address=first.exit_address,
        series=series,
    )


def added(some: Sequence[Series]) -> Series:
    """The sum of several transfers that began together, over the time in which all of them ran."""
    from_s = max(one.from_s for one in some)
    end_s = min(one.end_s for one in some)
    count = max(1, int((end_s - from_s) / INTERVAL_S))
    times = tuple(from_s + (end_s - from_s) * number / count for number in range(count + 1))
    return Series(times_s=times, bytes=tuple(int(sum(one.at(when) for one in some)) for when in times), from_s=from_s)
