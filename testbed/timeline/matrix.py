"""Tools under policies: what each policy did to each tool while it was awake, in one word, with the numbers behind it.

The word compares with the control of the same run, and with what the policy means. It reads rows, never a box's log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import TYPE_CHECKING, Any

from testbed.findings import Check, policies_of
from testbed.result import CONTROL
from testbed.stats import Share, wilson
from testbed.timeline.picking import Group, group, placed
from testbed.timeline.rows import CONNECT, REPEAT, STAY, TRANSFER

if TYPE_CHECKING:
    import pandas as pd

#: a tool that carries less than this share of what it carries without a policy is degraded
_GOODPUT = 0.6
#: so are tools with outages longer than in the control by this many seconds
_OUTAGE_S = 2.5
#: and those through which fewer transfers come whole
_COMES_THROUGH = 0.8
#: and those of whose probes fewer are answered than in the control, by this share of all
_ANSWERS = 0.25
#: the same for those that were made to connect anew, which is an outage of its own, if a short one
_ANSWERS_ANEW = 0.35
#: a tool through which no transfer comes is blocked, unless it answers more probes than this: a connection that is
#: silenced after its first packets answers one or two
_HARDLY = 0.2


class Class(Enum):
    """What a policy did to a tool."""

    BLOCKED = "blocked"  #: nothing came through
    DEGRADED = "degraded"  #: less, later or not always
    UNTOUCHED = "untouched"
    UNKNOWN = "no result"


#: what a row says that the policy means -> the class that this is
_CLASS = {
    "ok": Class.UNTOUCHED,
    "blocked": Class.BLOCKED,
    "degraded": Class.DEGRADED,
    "throttled": Class.DEGRADED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One tool under one policy, while it is awake; `fresh`: through connections that were made in that time."""

    policy: str
    actor: str
    tool: str
    fresh: Group
    held: Group  #: through connections that were up when it woke up
    control: Group
    direct: float | None  #: goodput beside the tool in the same leg and phase
    answered: Share  #: probes, through new connections
    control_answered: Share
    tries: Share  #: attempts to connect that failed
    to_tunnel_s: float | None  #: median
    attempts: float | None  #: needed, median
    rtt_s: float | None
    direct_rtt_s: float | None
    outage_s: float | None  #: the longest
    control_outage_s: float | None
    recovery_s: float | None  #: after the policy's end, the longest
    stayed_after: bool  #: there are probes of the time after its end, whose word can be taken
    reconnects: int
    renews: bool  #: it was made to connect anew, which is an outage of its own
    meant: Class | None  #: None: what this policy means is not known to the scenario
    by_chance: bool

    @property
    def against_direct(self) -> float | None:
        return self.fresh.goodput / self.direct if self.fresh.goodput and self.direct else None

    @property
    def against_control(self) -> float | None:
        return self.fresh.goodput / self.control.goodput if self.fresh.goodput and self.control.goodput else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not untouched."""
        said = []
        if self.fresh.ok.n and self.fresh.ok.value < _COMES_THROUGH:
            said.append(f"{self.fresh.ok.hits} of {self.fresh.ok.n} came through")
        if self.against_control is not None and self.against_control < _GOODPUT:
            said.append(f"{self.against_control:.0%} of its goodput")
        if not self.renews and self.outage_s is not None and self.outage_s > (self.control_outage_s or 0.0) + _OUTAGE_S:
            said.append(f"{self.outage_s:.0f} s without an answer")
        fewer = _ANSWERS_ANEW if self.renews else _ANSWERS
        if self.answered.n and self.answered.value < self.control_answered.value - fewer:
            said.append(f"{self.answered.value:.0%} of the probes answered")
        if self.tries.hits:
            said.append(f"{self.tries.hits} of {self.tries.n} attempts to connect failed")
        return tuple(said)

    @property
    def word(self) -> Class:
        if not self.fresh.ok.n and not self.answered.n:
            return Class.UNKNOWN
        if not self.fresh.ok.hits and (not self.answered.n or self.answered.value <= _HARDLY):
            return Class.BLOCKED
        return Class.DEGRADED if self.reasons else Class.UNTOUCHED

    @property
    def as_meant(self) -> bool:
        """Whether it is what the policy says; where only chance decides, any of the three is."""
        return self.word is not Class.UNKNOWN and (self.by_chance or self.word is self.meant)

    @property
    def off(self) -> bool:
        """Whether it is known to be not what the policy says."""
        return self.meant is not None and self.word is not Class.UNKNOWN and not self.as_meant


def cells(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Cell]:
    """One cell for each policy and actor; the control stands in each of them."""
    there = placed(rows, manifest)
    ruled = [str(one["name"]) for one in manifest["scenario"]["phases"] if one["ruled"]]
    return [
        _cell(there, manifest, policy, actor, ruled)
        for policy in policies_of(manifest)[1:]
        for actor in manifest["scenario"]["actors"]
    ]


def _cell(
    rows: pd.DataFrame, manifest: dict[str, Any], policy: str, actor: dict[str, Any], ruled: Sequence[str]
) -> Cell:
    scenario = manifest["scenario"]
    tool, host = str(actor["tool"]), str(actor["subscriber"])
    mine = rows[rows["subscriber"] == host]
    known = knows(manifest, policy)
    # a leg in which the box or the tool's server died while the policy was awake tells of that, and not of the policy
    dead = _dead(mine[(mine["policy"] == policy) & mine["phase"].isin(ruled)])
    there = rows[(rows["policy"] == policy) & ~_repeat(rows).isin(dead)]
    here = there[(there["subscriber"] == host) & there["in_phase"].isin(ruled)]
    transfers = here[here["workload"] == TRANSFER]
    renews = bool(tool) and scenario["held_s"] is not None and policy not in scenario["left_open"]
    held_s = scenario["held_s"] * scenario["slowdown"] * scenario["stretch"] if renews else 0.0
    tries = here[(here["workload"] == CONNECT) & (here["fidelity"] == "ok")]
    # open tunnels are held until the tool connects anew, which it does between two transfers
    anew = tries[tries["since_s"] >= held_s]["since_s"]
    held_s = float(anew.min()) if len(anew) and renews else held_s
    up = tries[tries["outcome"] == "ok"]
    beside = [str(one["subscriber"]) for one in scenario["actors"] if not one["tool"]]
    other = there[there["in_phase"].isin(ruled) & there["subscriber"].isin(beside)]
    control = mine[mine["policy"] == CONTROL]
    awake = transfers[transfers["phase"].isin(ruled)]  # not those that began a moment before it woke up
    meant = awake["intended"].mode().iloc[0] if len(awake) else "ok"
    stays = _stays(here)
    after = _stays(there[there["subscriber"] == host])
    return Cell(
        policy=policy,
        actor=str(actor["name"]),
        tool=tool,
        fresh=group(transfers[transfers["since_s"] >= held_s]),
        held=group(transfers[transfers["since_s"] < held_s]),
        control=group(control[control["workload"] == TRANSFER]),
        direct=group(other[other["workload"] == TRANSFER]).goodput,
        answered=_answered(manifest, policy, str(actor["name"]), dead),
        control_answered=_answered(manifest, CONTROL, str(actor["name"])),
        tries=wilson(len(tries) - len(up), len(tries)),
        to_tunnel_s=_middle(up["time_to_tunnel_s"]),
        attempts=_middle(up["tunnel_attempts"]),
        rtt_s=_middle(stays["rtt_s"]),
        direct_rtt_s=_middle(_stays(other)["rtt_s"]),
        outage_s=_worst(stays["longest_outage_s"]),
        control_outage_s=_worst(_stays(control)["longest_outage_s"]),
        recovery_s=_worst(after["recovery_s"]),
        stayed_after=bool((after["started_s"] > stays["started_s"].max()).any()),
        reconnects=int(here["reconnects"].sum()),
        renews=renews,
        meant=_CLASS[str(meant)] if known else None,
        by_chance=known
        and any(
            one["by_chance"] and one["policy"] == policy and (one["tools"] is None or tool in one["tools"])
            for one in scenario["meant"]
        ),
    )


def knows(manifest: dict[str, Any], policy: str) -> bool:
    """Whether the scenario says what this policy means: only of its own ones, as they are shipped."""
    told: dict[str, Any] = next((one for one in manifest["policies"] if one["name"] == policy), {})
    return bool(told.get("known", policy in manifest["scenario"]["policies"]))


def _repeat(rows: pd.DataFrame) -> pd.Series[int]:
    """Which time through the timeline each row belongs to, from 0."""
    return rows["attempt"] // REPEAT


def _dead(rows: pd.DataFrame) -> list[int]:
    """The legs without a result: by the row of the whole phase or, where the lab ended before it, by any row."""
    found = []
    for repeat, leg in rows.groupby(_repeat(rows)):
        whole = leg[leg["workload"] == STAY]
        lost = (whole if len(whole) else leg)["fidelity"] == "none"
        if lost.any():
            found.append(int(str(repeat)))
    return found


def _stays(rows: pd.DataFrame) -> pd.DataFrame:
    """Whole phases in which nothing died."""
    return rows[(rows["workload"] == STAY) & (rows["fidelity"] != "none")]


def _answered(manifest: dict[str, Any], policy: str, actor: str, dead: Sequence[int] = ()) -> Share:
    """The probes of all legs under a policy, but for those in which something died."""
    legs = [leg.get("anew", {}).get(actor) for leg in manifest["legs"] if leg["policy"] == policy]
    there = [one for repeat, one in enumerate(legs) if one and repeat not in dead]
    return wilson(sum(int(one["answered"]) for one in there), sum(int(one["probes"]) for one in there))


def _middle(values: pd.Series[float]) -> float | None:
    there = [float(one) for one in values.dropna()]
    return median(there) if there else None


def _worst(values: pd.Series[float]) -> float | None:
    there = [float(one) for one in values.dropna()]
    return max(there) if there else None


def checks(found: Sequence[Cell], manifest: dict[str, Any], rows: pd.DataFrame) -> list[Check]:
    """Every cell has a result, every tool comes up without a policy, and each cell is as its policy says."""
    empty = [_named(one) for one in found if one.word is Class.UNKNOWN]
    text = "every tool has transfers that can be trusted under every policy"
    made = [Check(text + _listed(empty), not empty, lab=True)]
    control = rows[(rows["policy"] == CONTROL) & (rows["fidelity"] == "ok")]
    down = []
    for tool in (str(one["tool"]) for one in manifest["scenario"]["actors"] if one["tool"]):
        through = group(control[(control["tool"] == tool) & (control["workload"] == TRANSFER)])
        if not through.ok.n or through.ok.value < _COMES_THROUGH:
            down.append(f"{tool} ({through.ok.hits} of {through.ok.n} came through)")
    made.append(Check("every tool comes up and carries without a policy" + _listed(down), not down, lab=True))
    known = [one for one in found if one.meant is not None and one.word is not Class.UNKNOWN]
    off = [f"{_named(one)} is {one.word.value}, meant {one.meant.value}" for one in known if one.meant and one.off]
    if known:
        made.append(Check("each policy does to each tool what it says" + _listed(off), not off))
    return made


def _named(cell: Cell) -> str:
    return f"{cell.policy}/{cell.actor}"


def _listed(some: Sequence[str]) -> str:
    return f"; not so: {', '.join(some)}" if some else ""
