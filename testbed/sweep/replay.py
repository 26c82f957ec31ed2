"""The backend that asks the censor alone: a conversation's packets, or a capture's, by their own times; no network.

It needs no rights and takes milliseconds. It tells what a policy decides, and not what became of an application: nobody
reacts to what is dropped or injected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from middlebox.censor import Censor
from middlebox.drivers.capture import Captured, read_packets
from middlebox.drivers.replay import replay
from middlebox.grammar.problem import Place
from middlebox.grammar.rates import RATE
from middlebox.grammar.shape import TEXT, Leaf, Mismatch
from middlebox.grammar.source import Form, Scalar
from middlebox.grammar.units import SIZE, TIME, integer, whole
from middlebox.policy import Policy
from middlebox.verdict import Decision, Verdict
from testbed.scenario import unknown
from testbed.sweep.backends import Backend, Kind, Measure, Row
from testbed.sweep.conversations import CONVERSATIONS, Talk, packets
from testbed.sweep.policies import of_cell
from testbed.sweep.values import Cell, Sweep, digest, of_policy

#: setting -> the field of `Talk`, and how it is written
SETTINGS: dict[str, tuple[str, Leaf[str] | Leaf[int]]] = {
    "host": ("host", TEXT),
    "segment": ("segment", integer(1, 1_460, "a number of bytes")),
    "rtt": ("rtt_ns", TIME),
    "content": ("content", SIZE),
    "offered": ("offered", RATE),
}


@dataclass(slots=True)
class _Flowing:
    """What was decided on one flow until now."""

    begin_ns: int
    packets: int = 0
    offered: int = 0
    fates: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    passed: int = 0
    last_ns: int = 0
    rewritten: int = 0
    injected: int = 0
    struck: int | None = None
    rule: str = ""
    action: str = ""
    held_ns: int = 0

    def add(self, packet: Captured, decision: Decision) -> None:
        """Count one packet in."""
        size = len(packet.ip or b"")
        if not decision.simply_passed and self.struck is None:
            self.struck, self.rule, self.action = self.packets, decision.rule, decision.action
        self.packets += 1
        self.offered += size
        self.fates[decision.verdict] += 1
        self.injected += len(decision.injected)
        self.rewritten += decision.rewritten is not None
        if decision.verdict is Verdict.DROP:
            return
        leaves_ns = decision.t_ns
        if decision.verdict is Verdict.HOLD:
            leaves_ns = decision.release_ns
            self.held_ns = max(self.held_ns, leaves_ns - decision.t_ns)
        self.passed += size if decision.rewritten is None else len(decision.rewritten)
        self.last_ns = max(self.last_ns, leaves_ns)

    def row(self) -> Row:
        took_ns = self.last_ns - self.begin_ns if self.passed else 0
        return {
            "packets": self.packets,
            "packets_dropped": self.fates[Verdict.DROP],
            "packets_held": self.fates[Verdict.HOLD],
            "packets_rewritten": self.rewritten,
            "injected": self.injected,
            "bytes": self.offered,
            "bytes_passed": self.passed,
            "passed_share": self.passed / self.offered if self.offered else None,
            "throughput": self.passed * 8e9 / took_ns if took_ns > 0 else None,
            "longest_hold_s": self.held_ns / 1e9 if self.held_ns else None,
            "touched": self.struck is not None,
            "first_touched": self.struck,
            "rule": self.rule,
            "action": self.action,
        }


def run(cell: Cell) -> list[Row]:
    """One row for each flow of the conversation, in the order in which they began; packets of no flow are left out."""
    source = _packets(cell)
    flows: dict[str, _Flowing] = {}
    for packet, decision in zip(source, replay(Censor(_policy(cell), seed=cell.seed), source), strict=True):
        name = decision.flow
        if name:
            if name not in flows:
                flows[name] = _Flowing(decision.t_ns)
            flows[name].add(packet, decision)
    shared: Row = {
        "backend": cell.backend,
        "seed": cell.seed,
        "policy": cell.policy.name,
        "workload": cell.workload,
    }
    return [{**shared, "flow": name, **flow.row()} for name, flow in flows.items()]


def _policy(cell: Cell) -> Policy:
    return of_cell(cell.policy, tuple(cell.of_policy().items()))


def _packets(cell: Cell) -> list[Captured]:
    if cell.capture is not None:
        found, read = _captured(cell.capture.path.as_posix())
        if found != cell.capture.digest:
            raise ValueError(f"{cell.capture.path}: this is not the capture any more that the sweep was begun with")
        return read
    return _talked(cell.workload or next(iter(CONVERSATIONS)), tuple(cell.settings().items()))


@lru_cache(maxsize=4)
def _captured(path: str) -> tuple[str, list[Captured]]:
    with open(path, "rb") as file:
        found = digest(file.read())
    return found, list(read_packets(path, warn=lambda message: None))


@lru_cache(maxsize=16)
def _talked(workload: str, settings: tuple[tuple[str, str], ...]) -> list[Captured]:
    return packets(workload, Talk(**{SETTINGS[name][0]: _read(name, text) for name, text in settings}))  # type: ignore[arg-type]


def _read(name: str, text: str) -> str | int:
    """A setting's value; raises `ValueError`."""
    leaf = SETTINGS[name][1]
    form = Form.INTEGER if whole(text) is not None else Form.TEXT
    try:
        return leaf.parse(Scalar(Place("--set"), text, form))
    except Mismatch as error:
        hint = f"; {error}" if str(error) else ""
        raise ValueError(f"{name}: found '{text}'; expected {leaf.expected}{hint}") from None


def check(sweep: Sweep) -> None:
    """Refuse what cannot be asked without a network; raises `ValueError`."""
    if sweep.scenario:
        raise ValueError(f"scenario '{sweep.scenario}': the backend replay has workloads and captures, and no scenario")
    if sweep.tools != (None,):
        raise ValueError("tools: the backend replay has none; a capture may hold what a tool sent")
    for workload in sweep.workloads:
        if workload is not None and workload not in CONVERSATIONS:
            raise ValueError(unknown("workload", workload, CONVERSATIONS))
    for one in sweep.parameters:
        if of_policy(one.name):
            continue
        if one.name not in SETTINGS:
            raise ValueError(
                f"{unknown('setting', one.name, SETTINGS)}, and paths into the policy such as rules.0.chance"
            )
        if sweep.captures:
            raise ValueError(
                f"{one.name}: a capture's packets are as they were captured; settings are for conversations"
            )
        for text in one.shown:
            _read(one.name, text)


BACKEND = Backend(
    about="the censor alone, asked about a conversation or a capture; no network, no rights",
    run=run,
    check=check,
    columns={
        "backend": Kind.TEXT,
        "seed": Kind.WHOLE,
        "policy": Kind.TEXT,
        "workload": Kind.TEXT,
        "flow": Kind.TEXT,
        "packets": Kind.WHOLE,
        "packets_dropped": Kind.WHOLE,
        "packets_held": Kind.WHOLE,
        "packets_rewritten": Kind.WHOLE,
        "injected": Kind.WHOLE,
        "bytes": Kind.WHOLE,  # from the IP header on
        "bytes_passed": Kind.WHOLE,
        "passed_share": Kind.NUMBER,  # of the bytes
        "throughput": Kind.NUMBER,  # bit/s that left the box, from the flow's first packet to its last that left
        "longest_hold_s": Kind.NUMBER,
        "touched": Kind.TRUTH,  # a rule met the flow
        "first_touched": Kind.WHOLE,  # which packet of the flow it met first, from 0
        "rule": Kind.TEXT,
        "action": Kind.TEXT,
    },
    measures=(
        Measure(name="touched", column="touched", hit=True, about="flows that a rule met"),
        Measure(name="passed-share", column="passed_share", about="share of a flow's bytes that left the box, median"),
        Measure(name="throughput", column="throughput", about="bit/s of a flow that left the box, median"),
    ),
    across=("workload",),
    sources=(
        "middlebox",
        "testbed/sweep/replay.py",
        "testbed/sweep/conversations.py",
        "testbed/sweep/substituting.py",
        "testbed/sweep/policies.py",
    ),
)
