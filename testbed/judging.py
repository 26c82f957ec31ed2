"""What a success was: ok, throttled or degraded, by comparison with the control of the same run.

The only place where these words are decided. It knows no policy: a transfer that a policy means to slow and that was
not slow is ok, and one that the machine slowed is slow. `RULE` is what reports say of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from middlebox.action import Police, Shape
from middlebox.policy import Policy
from testbed.result import CONTROL, Fidelity, Outcome, Row
from testbed.series import Series
from testbed.workload import Observation

#: a transfer is slow if its goodput is below this share of the control's median, and below all of the control
SLOW = 0.5
#: seconds by which a handshake must be longer than all of the control's to be late, beyond what its bytes need
LATE_S = 0.1
#: bytes of a TLS handshake with a certificate (RFC 8446, 2): at the rate that was then seen they take their time
HANDSHAKE_BYTES = 4_000
#: a rate is steady if, in spans of equal length, the fastest and the slowest are not further from the median than this
FASTEST, SLOWEST = 1.35, 0.65
#: spans to tell it by, each this long: a policer's bursts and TCP's pauses last a second
SPANS, LEAST_SPAN_S, MOST_SPAN_S = 5, 0.5, 2.0
#: seconds of content left out of that, at least: a full bucket, slow start
SETTLE_S = 2.0

#: a video that stands still for more than this share of its time is degraded, whatever the control did
STALLED = 0.05

RULE = (
    "An attempt that got nothing, not all, or not what it asked for before the client gave up, or in which nothing "
    "moved for {stall_s:g} s, is blocked. Any other is compared with the control's attempts at the same target in the "
    f"same run. It is slow if its goodput is less than {SLOW:g} of the control's median and less than the control's "
    f"minimum. It is late if its TLS handshake took {LATE_S:g} s longer than the control's longest, beyond what "
    f"{HANDSHAKE_BYTES / 1000:g} kB need at its goodput. Slow but not late, and at a steady rate, is throttled: "
    f"cut into {SPANS} spans of {LEAST_SPAN_S:g} to {MOST_SPAN_S:g} s after the first {SETTLE_S:g} s, no span brings "
    f"more than {FASTEST:g} times or less than {SLOWEST:g} times what the median span brings, counted in segments that "
    "had reached the other end in any order. Slow otherwise, or late, is degraded. All else is ok."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """The control's attempts at one target: what its successes were like."""

    goodput: tuple[float, ...]  #: bit/s
    handshake_s: tuple[float, ...]  #: from TCP's connection to that of TLS


def normal(goodput: Iterable[float | None], handshake_s: Iterable[float | None]) -> Normal | None:
    """Of the control's values; None if none of them succeeded: then nothing can be compared."""
    rates = tuple(one for one in goodput if one is not None and one > 0)
    if not rates:
        return None
    return Normal(goodput=rates, handshake_s=tuple(one for one in handshake_s if one is not None))


def normals(rows: Iterable[Row], policy: str = CONTROL) -> dict[str, Normal]:
    """The yardstick of each target, from the control's rows that can be trusted."""
    usable: dict[str, list[Row]] = {}
    for row in rows:
        if row.policy == policy and row.outcome is Outcome.OK and row.fidelity is Fidelity.OK:
            usable.setdefault(row.target, []).append(row)
    found = {}
    for target, some in usable.items():
        one = normal((row.goodput for row in some), (handshake(row) for row in some))
        if one is not None:
            found[target] = one
    return found


def handshake(seen: Observation | Row) -> float | None:
    """Seconds from TCP's connection to that of TLS."""
    return None if seen.connect_s is None or seen.tls_s is None else max(0.0, seen.tls_s - seen.connect_s)


def judge(seen: Observation, usual: Normal | None, skip_s: float = 0.0) -> Outcome:
    """The outcome of an attempt; without a control, or without a rate of its own, as the client itself saw it."""
    if seen.outcome is not Outcome.OK or usual is None or seen.goodput is None or seen.goodput <= 0:
        return seen.outcome
    slow = is_slow(seen.goodput, usual)
    late = is_late(handshake(seen), seen.goodput, usual)
    # segments as they arrive, not content: one lost segment holds up all content behind it for a round trip
    came = seen.delivered or seen.series
    if slow and not late and came is not None and is_steady(came, skip_s):
        return Outcome.THROTTLED
    return Outcome.DEGRADED if slow or late else Outcome.OK


def is_slow(goodput: float, usual: Normal) -> bool:
    return goodput < SLOW * median(usual.goodput) and goodput < min(usual.goodput)


def is_late(handshake_s: float | None, goodput: float, usual: Normal) -> bool:
    if handshake_s is None or not usual.handshake_s:
        return False
    return handshake_s > max(usual.handshake_s) + LATE_S + 8 * HANDSHAKE_BYTES / goodput


def is_disturbed(stalled_share: float) -> bool:
    """Whether a video stood still for too much of its time: viewers leave (Krishnan, Sitaraman, IMC 2012)."""
    return stalled_share > STALLED


def is_steady(series: Series, skip_s: float = 0.0) -> bool:
    """Whether the content came at one rate all the time; False also if it came too quickly to tell."""
    skip_s = max(skip_s, SETTLE_S)
    left_s = series.end_s - series.from_s - skip_s
    span_s = min(MOST_SPAN_S, left_s / SPANS)
    if span_s < LEAST_SPAN_S:
        return False
    rates = series.rates(skip_s, span_s)
    middle = median(rates)
    return middle > 0 and max(rates) <= FASTEST * middle and min(rates) >= SLOWEST * middle


def held_to(policy: Policy) -> float | None:
    """Bit/s of IP packets that a policy holds a flow to, the least of its rules' rates; None without any."""
    rates = [
        8.0 * action.rate for rule in policy.rules for action in rule.actions if isinstance(action, Police | Shape)
    ]
    return min(rates, default=None)


def most(outcomes: Mapping[str, int]) -> str:
    """The outcome of most attempts; of several alike, the worst; "" of none."""
    scale = [one.value for one in (Outcome.OK, Outcome.DEGRADED, Outcome.THROTTLED, Outcome.BLOCKED)]
    there = {name: count for name, count in outcomes.items() if count and name in scale}
    return max(there, key=lambda name: (there[name], scale.index(name)), default="")
