"""Drives a censor in virtual time: the caller's clock says when it is, the caller's network says what comes.

It opens nothing, waits for nothing and knows no simulator: time, timers and the ways out are handed to it. Every packet
is asked about, or all but those of flows that are known to pass (`leaving`). The order is that of
a live box (`box`): capture, decision, injections toward the trigger's sender,
verdict, injections toward its receiver, log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from middlebox.drivers.box import Decider
from middlebox.drivers.leaving import Key, Leaving
from middlebox.policy import Policy
from middlebox.verdict import Decision, Disposition, Verdict


class Carried(Protocol):
    """A packet of the caller's network; its bytes are made when the censor looks."""

    @property
    def raw(self) -> bytes: ...

    @property
    def flow(self) -> tuple[Key, int] | None:
        """The ends and the flags of a TCP segment, if they can be told without its bytes."""


class Recorder(Protocol):
    """Where each packet is recorded; `middlebox.drivers.capture.Writer` is one."""

    def write(self, t_ns: int, packet: bytes) -> None: ...


P = TypeVar("P", bound=Carried)


class VirtualBox(Generic[P]):
    """One box: `take` is called for each packet that comes to it, and a timer for what it holds or sends later."""

    __slots__ = (
        *("_at", "_capture", "_forward", "_held", "_leaving", "_log", "_now", "_send_out", "_wakes_ns"),
        *("censor", "name", "packets", "sent"),
    )

    def __init__(
        self,
        censor: Decider,
        name: str,
        *,
        forward: Callable[[P, bytes | None], None],
        send: Callable[[bytes], None],
        clock: Callable[[], int],
        at: Callable[[int, Callable[[], None]], object],
        log: Callable[[Decision], None],
        capture: Recorder | None = None,
        leaving: Leaving | None = None,
    ) -> None:
        """`forward`: let a packet go on, as the bytes that stand beside it if there are any. `at`: call me then.

        `log`: told of what was not simply passed; its line is `log.line(decision, name)`, as of a live box. `leaving`:
        what need not be shown; None: every packet is, as a capture needs that can be replayed.
        """
        self.censor = censor
        self.name = name
        self.packets = 0  #: given to the censor so far: the number that the next one gets
        self.sent = 0  #: packets of the censor's own
        self._forward = forward
        self._send_out = send
        self._now = clock
        self._at = at
        self._log = log
        self._capture = capture
        self._leaving = leaving
        self._held: dict[int, P] = {}
        self._wakes_ns: int | None = None

    @property
    def held(self) -> int:
        return len(self._held)

    def take(self, packet: P) -> None:
        """Decide on one packet and carry the decision out."""
        now_ns = self._now()
        censor = self.censor
        due_ns = censor.next_due()
        if due_ns is not None and due_ns <= now_ns:
            self._release(now_ns)
        leaving = self._leaving
        flow = None if leaving is None else packet.flow
        if flow is not None and leaving is not None and leaving.passes(*flow, now_ns):
            self._forward(packet, None)
            return
        raw = packet.raw
        if self._capture is not None:
            self._capture.write(now_ns, raw)
        self.packets += 1
        decision = censor.decide(raw, now_ns)
        if leaving is not None:
            if decision.revokes:
                leaving.revoke()
            if flow is not None and decision.disposition is not Disposition.INSPECT:
                leaving.note(*flow, decision)
        injected = decision.injected
        if injected:
            for emission in injected:
                if emission.at_ns <= now_ns and not emission.after_trigger:
                    self._send(emission.packet)
        if decision.verdict is Verdict.PASS:
            self._forward(packet, decision.rewritten)
        elif decision.verdict is Verdict.HOLD:
            self._held[decision.number] = packet
        if injected:
            for emission in injected:
                if emission.at_ns <= now_ns and emission.after_trigger:
                    self._send(emission.packet)
        if not decision.simply_passed:
            self._log(decision)
        if injected or self._held:
            self._arm()

    def enter_phase(self, name: str) -> None:
        """The run enters a phase."""
        self.censor.enter_phase(name, self._now())

    def change(self, policy: Policy) -> None:
        """Go on under another policy; no flow is lost."""
        self.censor.change(policy, self._now())
        if self._leaving is not None:
            self._leaving = Leaving(policy)

    def let_go(self) -> int:
        """Let all held packets go before their time, as the box stops; how many there were."""
        count = len(self._held)
        for number in sorted(self._held):
            self._forward(self._held.pop(number), None)
        return count

    def _send(self, packet: bytes) -> None:
        self.sent += 1
        self._send_out(packet)

    def _release(self, now_ns: int) -> None:
        """Let the held packets go and send the injections whose time has come."""
        for emission in self.censor.due(now_ns):
            if emission.releases >= 0:
                packet = self._held.pop(emission.releases, None)
                if packet is not None:
                    self._forward(packet, None)
            else:
                self._send(emission.packet)

    def _arm(self) -> None:
        """Ask to be woken when the censor next has something to give, unless that is asked for already."""
        due_ns = self.censor.next_due()
        if due_ns is None or (self._wakes_ns is not None and self._wakes_ns <= due_ns):
            return
        self._wakes_ns = due_ns
        self._at(max(due_ns, self._now()), self._wake)

    def _wake(self) -> None:
        now_ns = self._now()
        if self._wakes_ns is not None and self._wakes_ns <= now_ns:
            self._wakes_ns = None
        self._release(now_ns)
        self._arm()
