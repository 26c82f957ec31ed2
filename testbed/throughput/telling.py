"""The findings of a throughput run in words that a student understands, with numbers that a paper can cite.

It counts nothing itself; `findings` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from testbed.findings import policies_of, targets_of
from testbed.result import CONTROL
from testbed.stats import Median, Ratio, percent
from testbed.throughput.findings import Cell, Means, expected, means, of

_DID = {"ok": "left alone", "throttled": "throttled", "degraded": "degraded", "blocked": "blocked"}
#: what a kind of slowing is called in the literature
_CALLED = {
    Means.LOSS: "loss without a queue, which is what a policer does",
    Means.QUEUE: "a queue without loss, which is what a shaper does",
    Means.LATE: "packets that were late before any queue could form, which is added delay",
    Means.LATE_LOSS: "packets that were late before any queue could form, and loss, which is added delay and loss",
    Means.BOTH: "a queue and loss, which is what a shaper with a short queue does",
    Means.NEITHER: "neither loss nor a queue",
}


def rate(bits: float) -> str:
    """123456 -> "123 kbit/s"; three digits."""
    for unit, size in (("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits >= size:
            value = bits / size
            return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f} {unit}"
    return f"{bits:.0f} bit/s"


def rates(found: Median) -> str:
    """The interval of a median by its name, with the unit once."""
    if not found.coverage:
        return found.interval
    low, high = rate(found.low).split(), rate(found.high).split()
    ends = f"{low[0]} to {high[0]} {high[1]}" if low[1] == high[1] else f"{' '.join(low)} to {' '.join(high)}"
    return f"{found.interval} {ends}"


def times(found: Ratio) -> str:
    """A ratio to the control in percent, with its interval by its name."""
    ends = f" {share(found.low)} to {share(found.high)}" if found.coverage else ""
    return f"{share(found.value)} ({found.interval}{ends})"


def share(value: float) -> str:
    """0.01234 -> "1.2 %", 0.987 -> "99 %"."""
    return f"{100 * value:.{1 if value < 0.0995 else 0}f} %"


def milli(found: Median) -> str:
    return f"{found.value * 1000:.0f} ms"


def summary(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    """The whole run as plain text: a table of outcomes and goodputs, and a paragraph for each policy."""
    policies = policies_of(manifest)
    lines = [["most attempts; median goodput", *policies]]
    for target in targets_of(manifest):
        here = [of(found, policy, str(target["name"])) for policy in policies]
        lines.append([str(target["name"]), *(_short(cell) for cell in here)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    parts = ["\n".join(table)]
    parts += ["\n  ".join([policy, *sentences(policy, found, manifest)]) for policy in policies]
    return "\n\n".join(parts)


def _short(cell: Cell | None) -> str:
    if cell is None or not cell.n:
        return "-"
    mark = "!" if cell.off else ""
    return f"{cell.outcome}{mark} {rate(cell.goodput.value)}" if cell.goodput else f"{cell.outcome}{mark}"


def sentences(policy: str, found: Sequence[Cell], manifest: dict[str, Any]) -> list[str]:
    """What was found under one policy, in words."""
    here = [cell for cell in found if cell.policy == policy]
    if not here:
        return ["No attempt was made."]
    if policy == CONTROL:
        return [*_control(here), *_left_out(here)]
    said = []
    for cell in here:
        if cell.n and cell.intended != "ok":
            said.append(_slowed(cell, of(found, CONTROL, cell.target)))
    spared = [cell for cell in here if cell.n and cell.intended == "ok"]
    listed = {str(one["name"]): bool(one["listed"]) for one in manifest["scenario"]["targets"]}
    around = [cell for cell in spared if cell.tool and listed.get(cell.target)]
    beside = [cell for cell in spared if cell not in around]
    said += _spared("Innocent targets", beside) + _around(around)
    return said + _left_out(here)


def _control(here: Sequence[Cell]) -> list[str]:
    count = sum(cell.n for cell in here)
    fine = sum(dict(cell.outcomes).get("ok", 0) for cell in here)
    said = [f"Without a policy {fine} of {count} attempts got all that they asked for."]
    for cell in here:
        if cell.goodput:
            waited = f" in {cell.seconds.value:.1f} s" if cell.seconds and cell.workload == "web-object" else ""
            trip = f", with round trips of {milli(cell.rtt)} under load" if cell.rtt else ""
            said.append(f"'{cell.target}' came{waited} at {rate(cell.goodput.value)} ({rates(cell.goodput)}){trip}.")
    return said


def _slowed(cell: Cell, control: Cell | None) -> str:
    many = dict(cell.outcomes).get(cell.outcome, 0)
    text = f"'{cell.target}' was {_DID[cell.outcome]} in {many} of {cell.n} attempts"
    if cell.off:
        text += f", though the policy means it to be {cell.intended}"
    text += "."
    if cell.outcome == "blocked":
        why = ", ".join(f"{name} ({count})" for name, count in cell.failures)
        came = f" {cell.got.value / 1000:.1f} kB had come by then, in the median." if cell.got else ""
        return f"{text} The client saw {why}.{came}"
    if cell.goodput:
        to = f", {times(cell.ratio)} of the control's" if cell.ratio else ""
        text += f" Its goodput was {rate(cell.goodput.value)} ({rates(cell.goodput)}){to}"
        wanted = expected(cell)
        if wanted and cell.rate:
            apart = 100 * (cell.goodput.value / wanted - 1)
            much = f"{abs(apart):.0f} % {'above' if apart > 0 else 'below'} that" if abs(apart) >= 0.5 else "just that"
            text += f"; the policy's {rate(cell.rate)} of packets leave {rate(wanted)} of content, and it was {much}"
        text += "."
    if cell.seconds and control and control.seconds and cell.workload == "web-object":
        text += f" The user waited {cell.seconds.value:.1f} s, not {control.seconds.value:.1f} s."
    how = means(cell, control)
    if how in _CALLED and cell.rtt and cell.least_rtt and cell.resent:
        text += (
            f" The sender's kernel saw round trips of {milli(cell.rtt)} ({milli(cell.least_rtt)} at the least) and "
            f"sent {percent(cell.resent.value)} of its segments again: {_called(how, cell.outcome)}."
        )
    return text


def _called(how: Means, outcome: str) -> str:
    """What does this; loss alone is a policer's only if the rate was steady."""
    if how is Means.LOSS and outcome != "throttled":
        return "loss without a queue and without a steady rate, which is random loss"
    return _CALLED[how]


def _spared(who: str, some: Sequence[Cell]) -> list[str]:
    if not some:
        return []
    ratios = [cell.ratio for cell in some if cell.ratio]
    hit = [cell for cell in some if cell.off]
    said = []
    if ratios:
        least = min(ratios, key=lambda one: one.value)
        said.append(f"{who} kept at least {times(least)} of the control's goodput ({len(some)} targets).")
    said += [f"But '{cell.target}', which the policy does not mean, was {_DID[cell.outcome]}." for cell in hit]
    return said


def _around(some: Sequence[Cell]) -> list[str]:
    said = []
    for tool in dict.fromkeys(cell.tool for cell in some):
        here = [cell for cell in some if cell.tool == tool]
        ready = next((cell.tunnel for cell in here if cell.tunnel), None)
        up = f", which was up in {ready.value:.1f} s," if ready else ""
        said += _spared(f"Through {tool}{up} the slowed name's targets", here)
    return said


def _left_out(here: Sequence[Cell]) -> list[str]:
    suspect, lost = sum(cell.suspect for cell in here), sum(cell.lost for cell in here)
    if not suspect and not lost:
        return []
    return [f"Left out of all numbers: {suspect} attempts because the box was overloaded, {lost} without a result."]
