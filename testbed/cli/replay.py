"""`penstock replay`: what a policy would decide on the packets of a capture, by the capture's own timestamps.

It sends nothing and needs no rights. Packets after one that the policy would have stopped are still those that were
captured: no endpoint reacts here.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from middlebox.drivers.capture import Captured, CaptureError, Writer, read_packets
from middlebox.drivers.replay import Change, Leaves, Recorded, Tally, read_sidecar
from middlebox.drivers.replay import replay as replayed
from middlebox.verdict import Decision, Verdict
from testbed.cli import UsageError

if TYPE_CHECKING:
    from middlebox import Policy

HELP = "what a policy decides on a capture; one flow's story with --explain"

#: rows of each table; a page that still can be read (`--json` has them all)
MOST_FLOWS = 40
MOST_PACKETS = 40

Explain = Callable[[int, str, tuple[str, ...]], None]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", metavar="POLICY", help="a shipped policy's name or a policy file")
    parser.add_argument("capture", metavar="PCAP", type=Path, help="a pcap or pcapng file")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of all chance (default: the live box's, else 0)")
    parser.add_argument("--out", type=Path, metavar="PCAP", help="write what would come out of the box to this file")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--json", action="store_true", help="one JSON object a line for each packet not simply passed")
    ways.add_argument(
        "--explain",
        metavar="FLOW",
        help="tell one flow's story: its text, a part of it that only it has, or its number as '#N'",
    )


def main(args: argparse.Namespace) -> int:
    from middlebox.load import LoadError
    from middlebox.policy import Policy

    try:
        policy = Policy.load(args.policy)
        session = _Session(policy, args.capture, args.seed)
        if args.explain is not None:
            _explain(session, args.explain, args.out)
        elif args.json:
            _as_lines(session, args.out)
        else:
            _as_tables(session, args.out)
    except (LoadError, CaptureError) as error:
        raise UsageError(str(error)) from error
    return 0


class _Session:
    """One policy on one capture; it can be gone through more than once."""

    def __init__(self, policy: Policy, capture: Path, seed: int | None) -> None:
        self.policy = policy
        self.capture = capture
        recorded = read_sidecar(capture)
        self.recorded: Recorded | None = recorded
        self.seed = seed if seed is not None else recorded.seed if recorded else 0
        self.box = recorded.box if recorded else "box"
        self.notes = _notes(policy, recorded)
        self.tally = Tally()

    def decisions(
        self, *, explain: Explain | None = None, out: Path | None = None
    ) -> Iterator[tuple[Captured, Decision]]:
        """Each packet and what is decided on it, from the beginning. Raises CaptureError."""
        from middlebox.censor import Censor

        self.tally = Tally()
        told: list[str] = []
        latest: list[Captured] = []

        def packets() -> Iterator[Captured]:
            for packet in read_packets(self.capture, warn=told.append):
                latest[:] = [packet]
                yield packet

        censor = Censor(self.policy, seed=self.seed, explain=explain)
        phases = self.recorded.phases if self.recorded else ()
        changes = self._changes()
        with _Out(out, self.capture) as leaves:
            for decision in replayed(
                censor, packets(), phases=phases, changes=changes, leaves=leaves, tally=self.tally
            ):
                yield latest[0], decision
        self.notes = [note for note in self.notes if note not in told] + told

    def _changes(self) -> list[Change]:
        """The policies that the live box went on under, if it began under this one."""
        if self.recorded is None or self.recorded.policy_text != self.policy.source_text:
            return []
        from middlebox.policy import Policy

        made = []
        with tempfile.TemporaryDirectory() as folder:
            for change in self.recorded.changes:
                path = Path(folder) / "policy.yaml"
                path.write_text(str(change.policy), encoding="utf-8")
                made.append(replace(change, policy=Policy.load(path)))
        return made

    def all_notes(self) -> list[str]:
        """What a reader must know to trust the result, after the capture has been gone through."""
        tally = self.tally
        notes = list(self.notes)
        if tally.not_ip:
            notes.append(f"{tally.not_ip} of {tally.packets} frames carry no IP; they pass")
        if not tally.packets:
            notes.append("the capture has no packets")
        if tally.cut:
            notes.append(
                f"{tally.cut} of {tally.packets} packets were captured only in part; what is missing could not be read "
                "(capture with a larger snapshot length: tcpdump -s 0)"
            )
        if tally.backward:
            notes.append(
                f"{tally.backward} packets are older than one before them; they are decided on at that one's time"
            )
        return notes


def _notes(policy: Policy, recorded: Recorded | None) -> list[str]:
    notes = []
    if recorded is not None and recorded.policy_text != policy.source_text:
        notes.append(
            f"the capture was taken under policy '{recorded.policy}' with another text than that of '{policy.name}': "
            "what was live is not repeated here"
        )
    sleeping = [rule.name for rule in policy.rules if rule.when.phases]
    if sleeping and (recorded is None or not any(phase.name for phase in recorded.phases)):
        names = ", ".join(f"'{name}'" for name in sleeping)
        notes.append(f"the capture tells no phases of a run, so rules that wait for one sleep: {names}")
    return notes


class _Out:
    """The file that `--out` names, if it names one."""

    def __init__(self, path: Path | None, capture: Path) -> None:
        self._writer: Writer | None = None
        if path is None:
            return
        if path.exists() and path.samefile(capture):
            raise CaptureError(f"{path}: found the capture that is read; expected another file for --out")
        try:
            self._writer = Writer(path)
        except OSError as error:
            raise CaptureError(f"{path}: found a place that cannot be written to: {error.strerror}") from None

    def __enter__(self) -> Leaves | None:
        return None if self._writer is None else self._writer.write

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _tell(notes: list[str]) -> None:
    for note in notes:
        print(f"penstock replay: {note}", file=sys.stderr)


def _as_lines(session: _Session, out: Path | None) -> None:
    for _, decision in session.decisions(out=out):
        if not decision.simply_passed:
            sys.stdout.write(json.dumps(decision.row(session.box)) + "\n")
    _tell(session.all_notes())


@dataclass(slots=True)
class _Flow:
    """What is said of one flow in the table."""

    number: int
    packets: int = 0
    touched: int = 0
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)  # (rule, action) -> packets
    fates: Counter[str] = field(default_factory=Counter)
    injected: int = 0


def fate(decision: Decision) -> str:
    """The verdict in a word: "rewritten" is a packet that passes as another one."""
    return "rewritten" if decision.rewritten is not None else decision.verdict.value


def _as_tables(session: _Session, out: Path | None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    flows: dict[str, _Flow] = {}
    struck: list[Decision] = []
    fates: Counter[str] = Counter()
    untold = 0
    first_ns = last_ns = None
    for _, decision in session.decisions(out=out):
        first_ns = decision.t_ns if first_ns is None else first_ns
        last_ns = decision.t_ns
        fates[fate(decision)] += 1
        flow = flows.get(decision.flow)
        if flow is None:
            flow = flows[decision.flow] = _Flow(len(flows) + ("" not in flows) if decision.flow else 0)
        flow.packets += 1
        flow.injected += len(decision.injected)
        flow.fates[fate(decision)] += 1
        if decision.simply_passed:
            continue
        flow.touched += 1
        flow.rules[decision.rule, decision.action] += 1
        if len(struck) < MOST_PACKETS:
            struck.append(decision)
        else:
            untold += 1
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    span_s = 0.0 if first_ns is None or last_ns is None else (last_ns - first_ns) / 1e9
    print(
        f"{session.policy.name} on {session.capture.name}, seed {session.seed}: {session.tally.packets} packets in "
        f"{span_s:.3f} s, {len(flows) - ('' in flows)} flows; {_counted(fates)}"
    )
    met = {text: flow for text, flow in flows.items() if flow.touched}
    if not met:
        print("No rule had anything to say: every packet passes as it came.")
    else:
        table = Table("no.", "flow", "packets", "rule", "action", "fate", "injected", box=SIMPLE_HEAD)
        for text, flow in list(met.items())[:MOST_FLOWS]:
            names = [rule for rule, _ in flow.rules]
            actions = dict.fromkeys(action for _, action in flow.rules)
            injected = str(flow.injected or "")
            row = (", ".join(dict.fromkeys(names)), ", ".join(actions), _counted(flow.fates), injected)
            table.add_row(str(flow.number), text, str(flow.packets), *row)
        console.print(table)
        if len(met) > MOST_FLOWS:
            print(f"  and {len(met) - MOST_FLOWS} more flows that met a rule")
        table = Table("packet", "at s", "flow", "rule", "fate", "injected", "reason", box=SIMPLE_HEAD)
        for decision in struck:
            at = f"{(decision.t_ns - (first_ns or 0)) / 1e9:.6f}"
            number = str(flows[decision.flow].number or "")
            injected = str(len(decision.injected) or "")
            table.add_row(str(decision.number), at, number, decision.rule, fate(decision), injected, decision.reason)
        console.print(table)
        if untold:
            print(f"  and {untold} more packets that did not simply pass; --json lists them all")
        spared = len(flows) - len(met) - ("" in flows and "" not in met)
        print(f"{spared} flow{'' if spared == 1 else 's'} passed untouched. --explain '#N' tells the story of flow N.")
    _tell(session.all_notes())


def _counted(fates: Counter[str]) -> str:
    words = {Verdict.PASS.value: "passed", Verdict.DROP.value: "dropped", Verdict.HOLD.value: "held"}
    return ", ".join(f"{count} {words.get(name, name)}" for name, count in sorted(fates.items()))


def _explain(session: _Session, wanted: str, out: Path | None) -> None:
    from testbed.story import Story, candidates, find_flows, same_ends

    flows = list(dict.fromkeys(decision.flow for _, decision in session.decisions() if decision.flow))
    found = find_flows(wanted, flows)
    if len(found) != 1:
        raise UsageError(candidates(wanted, found or range(len(flows)), flows, bool(found)))
    flow = flows[found[0]]
    believed: list[tuple[str, ...]] = [()]

    def listen(number: int, text: str, sentences: tuple[str, ...]) -> None:
        believed[0] = sentences

    recorded = f", box '{session.box}'" if session.recorded else ""
    print(f"flow {found[0] + 1}: {flow}")
    print(f"under {session.policy.name}, seed {session.seed}{recorded}; sequence numbers count from each end's SYN\n")
    story = Story(flow)
    for packet, decision in session.decisions(explain=listen, out=out):
        if decision.flow == flow or (packet.ip is not None and same_ends(packet.ip, flow)):
            for line in story.tell(packet, decision, believed[0]):
                print(line)
    _tell(session.all_notes())
