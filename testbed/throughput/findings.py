"""What the rows of a throughput run say, as values: outcomes, rates, ratios to the control, and how it was slowed.

Reads a run's rows and manifest, never a box's log. Only rows of full fidelity count; the others are counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from testbed.attempts import MAIN
from testbed.findings import Check, policies_of, targets_of
from testbed.judging import most
from testbed.result import CONTROL
from testbed.stats import Median, Ratio, middle, ratio

if TYPE_CHECKING:
    import pandas as pd

#: what is left of a packet of 1500 bytes: 20 of IP, 20 of TCP, 12 of its timestamps; and 22 of each TLS record of 16 kB
PAYLOAD = 1448 / 1500 * 16384 / 16406
#: a policy holds its rate if the median goodput is within this share of it
RATE_TOLERANCE = 0.1
#: what no policy means is untouched if it has at least this share of the control's goodput
UNTOUCHED = 0.8
#: a queue: round trips so many times those without one, and longer by so much
QUEUE_TIMES, QUEUE_S = 2.0, 0.1
#: loss: so much of what was sent had to be sent again, and so many times as much as in the control
LOSS, LOSS_TIMES = 0.03, 3.0


class Means(Enum):
    """How a transfer was slowed, as its sender's kernel saw it."""

    LOSS = "loss without a queue"  #: what a policer does
    QUEUE = "a queue without loss"  #: what a shaper does
    LATE = "late from the first packet on"  #: added delay: the handshake is late too, which no queue explains
    LATE_LOSS = "late from the first packet on, and loss"
    BOTH = "a queue and loss"
    NEITHER = "neither"
    UNKNOWN = ""  #: not measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All attempts at one target under one policy."""

    policy: str
    target: str
    workload: str
    tool: str
    intended: str
    n: int  #: attempts of full fidelity
    suspect: int  #: attempts left out because the box was overloaded
    lost: int  #: attempts left out because there was no result
    outcomes: tuple[tuple[str, int], ...]  #: the most frequent first
    failures: tuple[tuple[str, int], ...]
    goodput: Median | None  #: bit/s, of attempts that got what they asked for
    ratio: Ratio | None  #: of that to the control's
    seconds: Median | None  #: of the same attempts
    got: Median | None  #: bytes, of attempts that did not
    rtt: Median | None  #: seconds, under load, by the sender's kernel
    least_rtt: Median | None  #: seconds, without queues
    handshake: Median | None  #: seconds from TCP's connection to that of TLS
    resent: Median | None  #: share of data segments that were sent again
    tunnel: Median | None  #: seconds until the tool was up
    rate: float | None  #: bit/s of IP packets that the policy lets this target have

    @property
    def outcome(self) -> str:
        """That of most attempts; "" without any."""
        return most(dict(self.outcomes))

    @property
    def share(self) -> float:
        """Of the attempts, how many had that outcome."""
        return dict(self.outcomes).get(self.outcome, 0) / self.n if self.n else 0.0

    @property
    def off(self) -> bool:
        """Not what the policy means."""
        return bool(self.outcome) and bool(self.intended) and self.outcome != self.intended


def policy_rates(manifest: dict[str, Any]) -> dict[str, float]:
    """Policy -> the rate that it holds flows to, in bit/s of IP packets; only policies that have one."""
    return {one["name"]: float(one["rate"]) for one in manifest["policies"] if one.get("rate")}


def cells(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Cell]:
    """One cell for each policy and target of which there are rows."""
    main = rows[rows["phase"] == MAIN]
    rates = policy_rates(manifest)
    found = []
    for policy in policies_of(manifest):
        for target in targets_of(manifest):
            here = main[(main["policy"] == policy) & (main["target"] == target["name"])]
            if len(here):
                beside = main[(main["policy"] == CONTROL) & (main["target"] == target["name"])]
                found.append(_cell(policy, target, here, beside, rates.get(policy)))
    return found


def _cell(policy: str, target: dict[str, Any], here: pd.DataFrame, beside: pd.DataFrame, rate: float | None) -> Cell:
    usable = here[here["fidelity"] == "ok"]
    whole = usable[usable["failure"] == ""]
    control = beside[(beside["fidelity"] == "ok") & (beside["failure"] == "")]
    intended = str(here["intended"].iloc[0])
    return Cell(
        policy=policy,
        target=str(target["name"]),
        workload=str(target["workload"]),
        tool=str(target["tool"]),
        intended=intended,
        n=len(usable),
        suspect=int((here["fidelity"] == "suspect").sum()),
        lost=int((here["fidelity"] == "none").sum()),
        outcomes=tuple(Counter(str(one) for one in usable["outcome"]).most_common()),
        failures=tuple(Counter(str(one) for one in usable["failure"] if one).most_common()),
        goodput=_middle(whole, "goodput"),
        ratio=None if policy == CONTROL else ratio(_values(whole, "goodput"), _values(control, "goodput")),
        seconds=_middle(whole, "seconds"),
        got=_middle(usable[usable["failure"] != ""], "bytes"),
        rtt=_middle(usable, "rtt_s"),
        least_rtt=_middle(usable, "min_rtt_s"),
        handshake=middle(float(one) for one in (usable["tls_s"] - usable["connect_s"]).dropna()),
        resent=_middle(usable, "retransmitted"),
        tunnel=_middle(usable, "time_to_tunnel_s"),
        rate=rate if intended == "throttled" else None,
    )


def _values(rows: pd.DataFrame, column: str) -> list[float]:
    return [float(one) for one in rows[column].dropna()]


def _middle(rows: pd.DataFrame, column: str) -> Median | None:
    return middle(_values(rows, column))


def means(cell: Cell, control: Cell | None) -> Means:
    """How the sender's kernel saw it: by loss, by a queue, or by a delay that is there before any queue can be."""
    if cell.rtt is None or cell.least_rtt is None or cell.resent is None:
        return Means.UNKNOWN
    usual = control.resent.value if control and control.resent else 0.0
    lossy = cell.resent.value >= max(LOSS, LOSS_TIMES * usual)
    queued = cell.rtt.value >= max(QUEUE_TIMES * cell.least_rtt.value, cell.least_rtt.value + QUEUE_S)
    if _late(cell, control):
        return Means.LATE_LOSS if lossy else Means.LATE
    if queued and control and control.rtt and cell.rtt.value < QUEUE_TIMES * control.rtt.value:
        queued = False  # the queue of the subscriber's own line, which the control has too
    return {
        (True, False): Means.LOSS,
        (False, True): Means.QUEUE,
        (True, True): Means.BOTH,
        (False, False): Means.NEITHER,
    }[lossy, queued]


def _late(cell: Cell, control: Cell | None) -> bool:
    """Whether the handshake, a few packets before any queue, took as much longer as the round trips under load did."""
    if not cell.handshake or not control or not control.handshake or not cell.rtt or not control.rtt:
        return False
    added_s = cell.handshake.value - control.handshake.value
    return added_s >= QUEUE_S and added_s >= 0.5 * (cell.rtt.value - control.rtt.value)


def of(found: Sequence[Cell], policy: str, target: str) -> Cell | None:
    return next((cell for cell in found if (cell.policy, cell.target) == (policy, target)), None)


def expected(cell: Cell) -> float | None:
    """Goodput in bit/s that the policy's rate leaves, when packets are full."""
    return None if cell.rate is None else cell.rate * PAYLOAD


def checks(found: Sequence[Cell], manifest: dict[str, Any]) -> list[Check]:
    """What had to hold: the lab works, nobody innocent is slowed, the scenario's own policies do what they mean."""
    empty = [f"{cell.policy}/{cell.target}" for cell in found if not cell.n]
    made = [Check("every target has attempts that can be trusted under every policy" + _so(empty), not empty, lab=True)]
    failing = [f"{cell.target} ({_counts(cell)})" for cell in found if cell.policy == CONTROL and cell.off]
    made.append(Check("without a policy everything gets through" + _so(failing), not failing, lab=True))
    ruled = [cell for cell in found if cell.policy != CONTROL and cell.n]
    shipped = set(manifest["scenario"]["policies"])
    hit = [
        f"{cell.policy}/{cell.target} ({_counts(cell)}, ratio {cell.ratio.value if cell.ratio else 0:.2f})"
        for cell in ruled
        if cell.intended == "ok" and (cell.off or cell.ratio is None or cell.ratio.value < UNTOUCHED)
    ]
    text = f"what no policy means has at least {UNTOUCHED:g} of the control's goodput"
    made.append(Check(text + _so(hit), not hit))
    other = [
        f"{cell.policy}/{cell.target} ({_counts(cell)}; meant: {cell.intended})"
        for cell in ruled
        if cell.policy in shipped and cell.intended != "ok" and cell.off
    ]
    if any(cell.policy in shipped for cell in ruled):
        made.append(
            Check("what the scenario's policies mean to slow or to block is so, mostly" + _so(other), not other)
        )
    bulk = [cell for cell in ruled if cell.rate and not cell.tool and cell.workload in ("download", "upload")]
    if bulk:
        apart = [
            f"{cell.policy}/{cell.target} ({cell.goodput.value / 1000 if cell.goodput else 0:.1f} kbit/s)"
            for cell in bulk
            if not _holds(cell)
        ]
        text = f"long transfers come within {100 * RATE_TOLERANCE:g} % of the goodput that the policy's rate leaves"
        made.append(Check(text + _so(apart), not apart))
    return made


def _holds(cell: Cell) -> bool:
    wanted = expected(cell)
    return (
        cell.goodput is not None and wanted is not None and abs(cell.goodput.value - wanted) <= RATE_TOLERANCE * wanted
    )


def _so(some: Sequence[str]) -> str:
    return f"; not so: {', '.join(some)}" if some else ""


def _counts(cell: Cell) -> str:
    return ", ".join(f"{count} {name}" for name, count in cell.outcomes)
