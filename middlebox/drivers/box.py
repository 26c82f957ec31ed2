"""One live box: gives each packet to the censor and carries out what it decides, in the right order.

It opens nothing: the queue's packets, the sender, the capture and the log are handed to it, so it runs in tests
without a kernel. The order is what matters here: a packet is in the capture before it is decided on, so that a replay
of the capture decides the same; forged packets leave before the verdict that lets the trigger go on, or they lose the
race against a near server; the log comes last, where it costs the traffic nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from middlebox.drivers.log import line
from middlebox.drivers.meter import Meter
from middlebox.policy import Policy
from middlebox.verdict import Decision, Disposition, Emission, Ends, Verdict


class Decider(Protocol):
    """What a box needs of the engine; `middlebox.Censor` is one."""

    def decide(self, raw: bytes, now_ns: int) -> Decision: ...
    def due(self, now_ns: int) -> list[Emission]: ...
    def next_due(self) -> int | None: ...
    def enter_phase(self, name: str, now_ns: int) -> None: ...
    def change(self, policy: Policy, now_ns: int) -> None: ...
    def counters(self) -> dict[str, int]: ...


class Queued(Protocol):
    """A packet that waits in the kernel for its verdict; `netfilterqueue.Packet` is one."""

    id: int  #: the queue's own count, from 1, modulo 2^32; a gap: packets that were lost on their way to us

    def get_payload(self) -> bytes: ...
    def get_timestamp(self) -> float: ...
    def set_payload(self, payload: bytes) -> None: ...
    def set_mark(self, mark: int) -> None: ...
    def accept(self) -> None: ...
    def drop(self) -> None: ...


class Fates(Protocol):
    """Who may be left the rest of a flow; `middlebox.drivers.marks.Marks` is one."""

    def mark(self, decision: Decision) -> int:
        """The mark to put on the packet, which is then to be accepted, whatever its verdict; 0: none."""

    def revoke(self, revoked: tuple[Ends, ...]) -> None: ...


class Recorder(Protocol):
    """Where each packet is recorded; `middlebox.drivers.capture.Writer` is one."""

    def write(self, t_ns: int, packet: bytes) -> None: ...
    def flush(self) -> None: ...


class Clock:
    """Nanoseconds since 1970 that never go back: the wall clock at the start, and from then on the monotonic one."""

    __slots__ = ("_base_ns",)

    def __init__(self) -> None:
        self._base_ns = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return self._base_ns + time.monotonic_ns()


class Box:
    """`take` is called for each packet, `release` when `next_due` has come, `settle` after each batch of packets."""

    def __init__(
        self,
        censor: Decider,
        name: str,
        *,
        capture: Recorder,
        send: Callable[[bytes], bool],
        clock: Callable[[], int],
        log: Callable[[bytes], None],
        fates: Fates | None = None,
    ) -> None:
        self.fates = fates  #: None: every packet is asked about
        self.name = name
        self.censor = censor
        self.meter = Meter(clock())
        self.unseen = 0  #: packets lost between the kernel's queue and us, by the gaps in their numbers
        self.kernel_times = True  #: measure from the kernel's note of a packet's arrival; else from when it was read
        self.untimed = 0  #: packets without such a note, measured from when they were read
        self.dirty = False  #: the capture has packets that are not on disk yet
        self._capture = capture
        self._send = send
        self._now = clock
        self._log = log
        self._held: dict[int, Queued] = {}
        self._decided: list[Decision] = []  # to be logged when the batch is through
        self._last_id = 0

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def packets(self) -> int:
        """Packets given to the censor so far: the number that the next one gets."""
        return self.meter.packets

    def take(self, packet: Queued) -> None:
        """Decide on one packet and carry the decision out."""
        now_ns = self._now()
        censor, meter = self.censor, self.meter
        due = censor.next_due()
        if due is not None and due <= now_ns:
            self.release(now_ns)
        raw = packet.get_payload()
        self._capture.write(now_ns, raw)
        self.dirty = True
        before = time.monotonic_ns()
        decision = censor.decide(raw, now_ns)
        meter.decide.add(time.monotonic_ns() - before)
        meter.packets += 1
        injected = decision.injected
        if injected:
            for emission in injected:
                if emission.at_ns <= now_ns and not emission.after_trigger:
                    self._send(emission.packet)
        verdict = decision.verdict
        mark = 0
        if self.fates is not None:
            if decision.revokes:
                self.fates.revoke(decision.revokes)
            if decision.disposition is not Disposition.INSPECT and verdict is not Verdict.HOLD:
                mark = self.fates.mark(decision)
        if verdict is Verdict.PASS:
            if decision.rewritten is not None:
                packet.set_payload(decision.rewritten)
            if mark:
                packet.set_mark(mark)
            packet.accept()
        elif verdict is Verdict.DROP:
            if mark:  # only what is accepted comes to where its mark is kept, and is dropped there
                packet.set_mark(mark)
                packet.accept()
            else:
                packet.drop()
        else:
            # the kernel keeps the packet itself, so its bytes need not be retained here to let it go
            self._held[decision.number] = packet
        self._measure(packet, now_ns)
        if injected:
            for emission in injected:
                if emission.at_ns <= now_ns and emission.after_trigger:
                    self._send(emission.packet)
        if not decision.simply_passed:
            self._decided.append(decision)

    def release(self, now_ns: int) -> None:
        """Let the held packets go and send the injections whose time has come."""
        for emission in self.censor.due(now_ns):
            if emission.releases >= 0:
                packet = self._held.pop(emission.releases, None)
                if packet is not None:
                    packet.accept()
            else:
                self._send(emission.packet)
            self.meter.late.add(now_ns - emission.at_ns)

    def settle(self) -> None:
        """Write the batch's decisions to the log, after their packets are in the capture on disk."""
        if self._decided:
            self.flush()
            for decision in self._decided:
                self._log(line(decision, self.name))
            self._decided.clear()

    def flush(self) -> None:
        """Bring the capture up to date on disk."""
        if self.dirty:
            self._capture.flush()
            self.dirty = False

    def let_go(self) -> int:
        """Let all held packets go before their time, as the box stops; how many there were."""
        count = len(self._held)
        for number in sorted(self._held):
            self._held.pop(number).accept()
        return count

    def _measure(self, packet: Queued, now_ns: int) -> None:
        """How long the packet was in the box."""
        arrived_s = packet.get_timestamp() if self.kernel_times else 0.0
        if arrived_s:
            self.meter.added.add(time.time_ns() - int(arrived_s * 1e9))
        else:
            self.untimed += 1
            self.meter.added.add(self._now() - now_ns)
        number = packet.id
        self.unseen += (number - self._last_id - 1) & 0xFFFF_FFFF
        self._last_id = number
