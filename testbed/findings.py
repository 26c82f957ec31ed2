"""What the rows of a run say, as values: shares, over- and underblocking, times, residual censorship, and the checks.

Reads a run's rows and manifest, never a box's log. Only rows of full fidelity count; the others are counted apart.
The words for all this are in `telling`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from middlebox.policy import Key
from testbed.attempts import MAIN
from testbed.residual import NEIGHBOUR, RESIDUAL, TRIGGER
from testbed.result import CONTROL
from testbed.stats import Median, Share, middle, wilson

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All attempts at one target under one policy."""

    policy: str
    target: str
    listed: bool  #: whether the scenario counts the target among those that a block list names
    intended: str
    blocked: Share  #: of the attempts of full fidelity
    suspect: int  #: attempts left out because the box was overloaded
    lost: int  #: attempts left out because there was no result
    failures: tuple[tuple[str, int], ...]  #: the strings, the most frequent first
    to_failure: Median | None  #: seconds
    to_page: Median | None  #: seconds, of attempts that were ok

    @property
    def over(self) -> bool:
        """Blocked though not meant."""
        return self.intended == "ok" and self.blocked.hits > 0

    @property
    def under(self) -> bool:
        """Got through though meant to be blocked."""
        return self.intended == "blocked" and self.blocked.hits < self.blocked.n


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualFound:
    """What the probes after triggers say about one policy. Times in seconds after the trigger."""

    policy: str
    triggers: int
    probes: tuple[tuple[float, bool], ...]  #: when, and whether it was blocked; in the order of the waits
    neighbour_blocked: bool | None  #: a probe from another address of the same subscriber; None: not asked
    #: all that the policy remembers are 4-tuples, which no probe can meet: each comes from a port of its own
    by_port_alone: bool = False
    waiting: bool = False  #: further probes are still to come

    @property
    def last_blocked_s(self) -> float | None:
        return max((when for when, blocked in self.probes if blocked), default=None)

    @property
    def first_free_s(self) -> float | None:
        """The first wait from which on every probe got through."""
        last = self.last_blocked_s
        return min(
            (when for when, blocked in self.probes if not blocked and (last is None or when > last)), default=None
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to hold; `lab` tells a fault of the lab from an expectation that failed."""

    text: str
    held: bool
    lab: bool = False


def policies_of(manifest: dict[str, Any]) -> list[str]:
    """The control and the policies, in the order of the scenario."""
    return [CONTROL, *(one["name"] for one in manifest["policies"])]


def targets_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest["scenario"]["targets"]
    return found


def cells(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Cell]:
    """One cell for each policy and target of which there are rows."""
    main = rows[rows["phase"] == MAIN]
    found = []
    for policy in policies_of(manifest):
        for target in targets_of(manifest):
            here = main[(main["policy"] == policy) & (main["target"] == target["name"])]
            if len(here):
                found.append(_cell(policy, target, here))
    return found


def _cell(policy: str, target: dict[str, Any], here: pd.DataFrame) -> Cell:
    usable = here[here["fidelity"] == "ok"]
    blocked = usable[usable["outcome"] == "blocked"]
    passed = usable[usable["outcome"] == "ok"]
    return Cell(
        policy=policy,
        target=str(target["name"]),
        listed=bool(target["listed"]),
        intended=str(here["intended"].iloc[0]),
        blocked=wilson(len(blocked), len(usable)),
        suspect=int((here["fidelity"] == "suspect").sum()),
        lost=int((here["fidelity"] == "none").sum()),
        failures=tuple(Counter(str(one) for one in blocked["failure"]).most_common()),
        to_failure=middle(float(one) for one in blocked["seconds"].dropna()),
        to_page=middle(float(one) for one in passed["seconds"].dropna()),
    )


def residuals(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[ResidualFound]:
    """What was found for each policy that was probed."""
    usable = rows[rows["fidelity"] == "ok"]
    keys = {one["name"]: one.get("memories") for one in manifest["policies"]}
    found = []
    for policy in policies_of(manifest)[1:]:
        here = usable[usable["policy"] == policy]
        # a trigger that was blocked was read by the box, however slow that was: its fidelity does not matter
        asked = rows[(rows["policy"] == policy) & (rows["phase"] == TRIGGER)]
        triggers = asked[asked["outcome"] == "blocked"]
        if not len(asked):
            continue
        probes = here[here["phase"] == RESIDUAL].sort_values("after_trigger_s")
        beside = here[here["phase"] == NEIGHBOUR]
        pairs = zip(probes["after_trigger_s"], probes["outcome"], strict=True)
        found.append(
            ResidualFound(
                policy=policy,
                triggers=len(triggers),
                probes=tuple((float(when), outcome == "blocked") for when, outcome in pairs),
                neighbour_blocked=bool((beside["outcome"] == "blocked").any()) if len(beside) else None,
                waiting=bool(manifest.get("waiting")),
                by_port_alone=keys[policy] == Key.FOUR.value,
            )
        )
    return found


def together(some: Sequence[Cell]) -> Share:
    """The blocked share of several cells as one."""
    return wilson(sum(cell.blocked.hits for cell in some), sum(cell.blocked.n for cell in some))


def checks(found: Sequence[Cell], manifest: dict[str, Any]) -> list[Check]:
    """What had to hold: the lab works, nobody innocent is hit, the scenario's own policies hit what they mean to."""
    empty = [f"{cell.policy}/{cell.target}" for cell in found if cell.blocked.n == 0]
    made = []
    text = "every target has attempts that can be trusted under every policy"
    made.append(Check(text + (f"; not so: {', '.join(empty)}" if empty else ""), not empty, lab=True))
    failing = [cell for cell in found if cell.policy == CONTROL and cell.blocked.hits]
    text = "without a policy everything gets through"
    made.append(Check(text + _counted(failing), not failing, lab=True))
    ruled = [cell for cell in found if cell.policy != CONTROL]
    over = [cell for cell in ruled if cell.over]
    made.append(Check("nothing is blocked that the policy does not mean" + _counted(over), not over))
    shipped = set(manifest["scenario"]["policies"])
    known = manifest["scenario"]["gets_through"]
    under = [
        cell for cell in ruled if cell.under and cell.policy in shipped and f"{cell.policy} {cell.target}" not in known
    ]
    if any(cell.policy in shipped for cell in ruled):
        made.append(Check("what the scenario's policies mean to block is blocked, always" + _counted(under), not under))
    return made


def _counted(some: Sequence[Cell]) -> str:
    return (
        "; not so: " + ", ".join(f"{one.policy}/{one.target} (blocked {one.blocked})" for one in some) if some else ""
    )
