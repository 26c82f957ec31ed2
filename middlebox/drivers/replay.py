"""Gives the packets of a capture to the censor, by the capture's own timestamps.

It opens nothing but the sidecar beside a capture, and sends nothing: what would leave the box is handed to the caller.
The censor is called exactly as a live box calls it, so the capture of a live box gives its decisions again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from middlebox.drivers.capture import Captured, CaptureError
from middlebox.policy import Policy
from middlebox.verdict import Decision, Emission, Verdict

#: told when and with what bytes a packet leaves the box, in the order of the times
Leaves = Callable[[int, bytes], None]

T = TypeVar("T")


class Decider(Protocol):
    """What a replay needs of the engine; `middlebox.Censor` is one."""

    def decide(self, raw: bytes, now_ns: int) -> Decision: ...
    def due(self, now_ns: int) -> list[Emission]: ...
    def next_due(self) -> int | None: ...
    def enter_phase(self, name: str, now_ns: int) -> None: ...
    def change(self, policy: Policy, now_ns: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase that the run entered."""

    name: str
    before_packet: int  #: the number of the first packet that is in it
    t_ns: int


@dataclass(frozen=True, slots=True)
class Change:
    """A policy that the box went on under; `policy` is its text as it was recorded, or what was loaded of that."""

    policy: str | Policy
    before_packet: int  #: the number of the first packet that it decides on
    t_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a live box wrote beside its capture."""

    box: str
    seed: int
    policy: str  #: its name
    policy_text: str
    phases: tuple[Phase, ...]
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class Tally:
    """What a replay met on its way."""

    packets: int = 0
    not_ip: int = 0  #: frames without IP; they count as packets
    cut: int = 0  #: packets that are longer than what was captured of them
    backward: int = 0  #: packets older than one before them, decided on at the time of that one


def read_sidecar(capture: Path) -> Recorded | None:
    """What is recorded in `NAME.json` beside `NAME.pcap`; None if there is no such file. Raises CaptureError."""
    path = capture.with_suffix(".json")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CaptureError(f"{path}: found a sidecar that cannot be read: {error}") from None
    try:
        said = json.loads(text)
        return Recorded(
            box=_typed(said, "box", str),
            seed=_typed(said, "seed", int),
            policy=_typed(said, "policy", str),
            policy_text=_typed(said, "policy_text", str),
            phases=tuple(
                Phase(_typed(one, "phase", str), _typed(one, "before_packet", int), _typed(one, "t_ns", int))
                for one in _typed(said, "phases", list)
            ),
            changes=tuple(
                Change(_typed(one, "policy_text", str), _typed(one, "before_packet", int), _typed(one, "t_ns", int))
                for one in (_typed(said, "changes", list) if "changes" in said else ())  # captures of before 0.2
            ),
        )
    except ValueError as error:
        raise CaptureError(
            f"{path}: found {error}; expected what a live box writes beside its capture (box, seed, policy, "
            "policy_text, phases); to replay without it, move it away"
        ) from None


def _typed(said: object, name: str, kind: type[T]) -> T:
    value = said.get(name) if isinstance(said, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"no '{name}' that is {kind.__name__}")
    return value


def replay(
    censor: Decider,
    packets: Iterable[Captured],
    *,
    phases: Sequence[Phase] = (),
    changes: Sequence[Change] = (),
    leaves: Leaves | None = None,
    tally: Tally | None = None,
) -> Iterator[Decision]:
    """The decision on each packet, in the order of the file; a frame without IP is one that cannot be read.

    `changes`: policies that have been loaded, whose texts `Recorded.changes` tells.
    """
    count = Tally() if tally is None else tally
    waiting: list[Phase | Change] = sorted((*phases, *changes), key=lambda one: (one.before_packet, one.t_ns))
    now_ns = 0
    for packet in packets:
        while waiting and waiting[0].before_packet <= packet.number:
            event = waiting.pop(0)
            if isinstance(event, Phase):
                censor.enter_phase(event.name, event.t_ns)
            elif isinstance(event.policy, Policy):
                censor.change(event.policy, event.t_ns)
            else:
                raise TypeError("a change of policy whose text was not loaded")
        if packet.t_ns < now_ns:
            count.backward += 1
        now_ns = max(now_ns, packet.t_ns)
        _release(censor, now_ns, leaves)
        decision = censor.decide(packet.ip or b"", now_ns)
        count.packets += 1
        if packet.ip is None:
            count.not_ip += 1
        elif _is_cut(packet.ip):
            count.cut += 1
        if leaves is not None:
            _leave(decision, packet.ip, leaves)
        yield decision
    while (due := censor.next_due()) is not None:
        _release(censor, due, leaves)


def _is_cut(packet: bytes) -> bool:
    """True if the IP header tells a longer packet."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return len(packet) < 20 or int.from_bytes(packet[2:4], "big") > len(packet)
    return version == 6 and (len(packet) < 40 or 40 + int.from_bytes(packet[4:6], "big") > len(packet))


def _release(censor: Decider, now_ns: int, leaves: Leaves | None) -> None:
    due = censor.next_due()
    if due is None or due > now_ns:
        return
    for emission in censor.due(now_ns):
        if leaves is not None:
            leaves(emission.at_ns, emission.packet)


def _leave(decision: Decision, packet: bytes | None, leaves: Leaves) -> None:
    """What leaves the box at once: injections, the packet itself, injections that cannot overtake it."""
    now_ns = decision.t_ns
    at_once = [emission for emission in decision.injected if emission.at_ns <= now_ns]
    for emission in at_once:
        if not emission.after_trigger:
            leaves(now_ns, emission.packet)
    if decision.verdict is Verdict.PASS and packet is not None:
        leaves(now_ns, packet if decision.rewritten is None else decision.rewritten)
    for emission in at_once:
        if emission.after_trigger:
            leaves(now_ns, emission.packet)
