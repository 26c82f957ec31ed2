"""What people notice: each thing that they do, by access, phase, and with a tool or without, in one word each.

The word compares with the control of the same run. It reads rows, never a box's log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from testbed.findings import Check, policies_of
from testbed.result import CONTROL
from testbed.stats import percent
from testbed.timeline.matrix import knows
from testbed.timeline.picking import Group, group, placed
from testbed.timeline.rows import TRANSFER

if TYPE_CHECKING:
    import pandas as pd

#: bounds of the words, ours: nobody has published how much people bear
_WORKS, _FAILS = 0.8, 0.2
#: as many times slower than in the control, and by at least so many seconds, is slow
_SLOW_TIMES, _SLOW_S = 2.0, 1.0


class Word(Enum):
    """What a person would say."""

    WORKS = "works"
    SLOW = "slow"
    ERRATIC = "on and off"
    FAILS = "fails"
    UNKNOWN = "no result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One thing that people do, in one situation."""

    policy: str
    phase: str
    access: str
    through: bool  #: with a tool
    transfer: str
    group: Group
    control: Group

    @property
    def word(self) -> Word:
        return word(self.group, self.control)


def word(found: Group, control: Group) -> Word:
    """In one word."""
    if not found.ok.n:
        return Word.UNKNOWN
    if found.ok.value <= _FAILS:
        return Word.FAILS
    if found.ok.value < _WORKS:
        return Word.ERRATIC
    if found.seconds and control.seconds:
        later_s = found.seconds.value - control.seconds.value
        if found.seconds.value > _SLOW_TIMES * control.seconds.value and later_s > _SLOW_S:
            return Word.SLOW
    return Word.WORKS


def symptoms(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Symptom]:
    """The whole matrix, of every policy; also the cells without a row."""
    transfers = [str(one["name"]) for one in manifest["scenario"]["transfers"]]
    there = placed(rows[rows["workload"] == TRANSFER], manifest)
    parts = {
        (str(policy), str(phase), str(access), bool(through), str(target)): group(part)
        for (policy, phase, access, through, target), part in there.groupby(
            ["policy", "in_phase", "access", there["tool"] != "", "target"]
        )
    }
    controls = {
        (str(access), bool(through), str(target)): group(part)
        for (access, through, target), part in there[there["policy"] == CONTROL].groupby(
            ["access", there["tool"] != "", "target"]
        )
    }
    nothing = group(there.iloc[:0])
    found = []
    for policy in policies_of(manifest)[1:]:
        for phase in phases_of(manifest):
            for access, through in ways_of(manifest):
                for transfer in transfers:
                    found.append(
                        Symptom(
                            policy=policy,
                            phase=phase,
                            access=access,
                            through=through,
                            transfer=transfer,
                            group=parts.get((policy, phase, access, through, transfer), nothing),
                            control=controls.get((access, through, transfer), nothing),
                        )
                    )
    return found


def phases_of(manifest: dict[str, Any]) -> list[str]:
    return [str(one["name"]) for one in manifest["scenario"]["phases"]]


def ways_of(manifest: dict[str, Any]) -> list[tuple[str, bool]]:
    """The kinds of access of the actors, in their order, each without a tool and with one where there is an actor."""
    of = {str(node["name"]): str(node["access"]) for node in manifest["topology"]["nodes"]}
    actors = manifest["scenario"]["actors"]
    there = {(of[str(actor["subscriber"])], bool(actor["tool"])) for actor in actors}
    accesses = dict.fromkeys(of[str(actor["subscriber"])] for actor in actors)
    return [(access, through) for access in accesses for through in (False, True) if (access, through) in there]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A claim of the scenario, and what was measured of it."""

    text: str
    held: bool
    measured: str
    known: bool = True  #: there were attempts that can be trusted


def answers(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Answer]:
    """The scenario's claims, held against the rows; of its own policies that were run, as they are shipped, alone."""
    there = placed(rows[rows["workload"] == TRANSFER], manifest)
    ran = [policy for policy in policies_of(manifest) if knows(manifest, policy)]
    return [_answer(there, claim) for claim in manifest["scenario"]["claims"] if claim["policy"] in ran]


def _answer(rows: pd.DataFrame, claim: dict[str, Any]) -> Answer:
    like = rows[rows["target"].isin(claim["transfers"])]
    if claim["access"]:
        like = like[like["access"] == claim["access"]]
    if claim["through"] is not None:
        like = like[(like["tool"] != "") == claim["through"]]
    here = like[(like["policy"] == claim["policy"]) & (like["in_phase"] == claim["phase"])]
    found = group(here)
    said, held = [f"{found.ok.hits} of {found.ok.n} came through"], found.ok.n > 0
    if found.ok.n:
        said[0] += f" (95 % interval {percent(found.ok.low)} to {percent(found.ok.high)})"
    if claim["at_least"] is not None:
        held = held and found.ok.value >= claim["at_least"]
        said.append(f"expected at least {percent(claim['at_least'])}")
    if claim["at_most"] is not None:
        held = held and found.ok.value <= claim["at_most"]
        said.append(f"expected at most {percent(claim['at_most'])}")
    if claim["times"] is not None:
        # of each transfer and access for itself, since they differ more among each other than by any policy
        ratios = _ratios(like, claim)
        low, high = claim["times"]
        held = held and bool(ratios) and all(low <= one <= high for one in ratios)
        told = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "no value"
        said.append(f"the median time is {told} times that of the control, expected {low:g} to {high:g}")
    return Answer(text=str(claim["text"]), held=held, measured="; ".join(said), known=found.ok.n > 0)


def _ratios(like: pd.DataFrame, claim: dict[str, Any]) -> list[float]:
    ratios = []
    for transfer in claim["transfers"]:
        for access in sorted(set(like["access"])):
            same = like[(like["target"] == transfer) & (like["access"] == access)]
            here = group(same[(same["policy"] == claim["policy"]) & (same["in_phase"] == claim["phase"])])
            control = group(same[same["policy"] == CONTROL])
            if here.seconds and control.seconds:
                ratios.append(here.seconds.value / control.seconds.value)
    return ratios


def checks(found: Sequence[Symptom], said: Sequence[Answer], rows: pd.DataFrame) -> list[Check]:
    """The lab gave results everywhere, the control works, and the claims hold."""
    empty = [f"{one.phase}/{one.transfer}/{one.access}" for one in found if one.word is Word.UNKNOWN]
    text = "every activity has attempts that can be trusted in every phase"
    made = [Check(text + (f"; not so: {', '.join(sorted(set(empty)))}" if empty else ""), not empty, lab=True)]
    control = rows[(rows["policy"] == CONTROL) & (rows["workload"] == TRANSFER)]
    whole = group(control)
    fine = whole.ok.n > 0 and whole.ok.value >= 0.95
    text = f"without a policy everything works; {whole.ok.hits} of {whole.ok.n} came through"
    made.append(Check(text, fine, lab=True))
    return made + [Check(f"{one.text}: {one.measured}", one.held, lab=not one.known) for one in said]
