"""One box with everything around it: its queue, files, raw sockets and control clients, in one loop of one thread.

What happens to a packet is said by `box`; how the process starts and ends, by `nfqueue`. It never sleeps: it waits for
packets, clients and the censor's next due time at once, and packets come first.
"""

from __future__ import annotations

import argparse
import os
import select
from pathlib import Path

from netfilterqueue import Packet

from middlebox.censor import Censor
from middlebox.drivers.attach import AttachError
from middlebox.drivers.box import Box, Clock
from middlebox.drivers.capture import Writer
from middlebox.drivers.control import Control, Message
from middlebox.drivers.front import Front
from middlebox.drivers.log import DecisionLog, Sidecar
from middlebox.drivers.nfnetlink import BATCH, MAX_WAITING, KernelQueue
from middlebox.drivers.send import Sender
from middlebox.drivers.tables import TableError
from middlebox.drivers.unnumbered import MARK
from middlebox.load import LoadError
from middlebox.policy import Policy

#: how long packets may wait to be on disk; Wireshark on a running lab is at most this much behind
FLUSH_NS = 200_000_000
#: batches that are still decided on after the rules are gone: all that can wait in the queue, and an end to it
DRAIN_BATCHES = MAX_WAITING // BATCH
#: bytes of a capture without packets
PCAP_HEADER = 24


class Live(Front):
    """The box with everything around it, and the loop."""

    def __init__(
        self,
        policy: Policy,
        options: argparse.Namespace,
        *,
        clock: Clock | None = None,
        log: str = "decisions.jsonl",
        mark: int = MARK,
    ) -> None:
        out = Path(options.out)
        capture = fresh(out, options.name)
        super().__init__(policy, options)
        self.clock = Clock() if clock is None else clock
        self.holding = False  #: packets wait in the queue until this is over
        self._out = out
        self.fail_open = options.fail == "open"
        self.queue = KernelQueue(options.queue, self._take, fail_open=self.fail_open)
        self.sender = Sender(options.queue + 1, mark)
        self.writer = Writer(capture)
        self.log = DecisionLog(out / log)
        self.sidecar = Sidecar(
            out / f"{options.name}.json",
            box=options.name,
            seed=options.seed,
            policy=policy.name,
            policy_text=policy.source_text,
        )
        self.box = Box(
            Censor(policy, seed=options.seed),
            options.name,
            capture=self.writer,
            send=self.sender.send,
            clock=self.clock.now,
            log=self._record,
        )
        if options.phase:
            self.enter(options.phase)
        self.control = Control(options.control, self.answer)

    def attach(self) -> None:
        """From now on the packets come. Raises AttachError."""
        rules = self.lay_rules()
        if self.kernel.works:
            self.box.fates = self.kernel.marks
        # a packet that waited elsewhere since the kernel noted its arrival tells nothing of the time spent here
        self.box.kernel_times = not rules.wait_before

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self, wakeup: int = -1) -> None:
        """Serve packets, timers and control connections until told to stop. `wakeup`: readable after a signal."""
        wakeups = [wakeup] if wakeup >= 0 else []
        flush_ns = 0
        more = False
        while not self.stopping:
            now_ns = self.clock.now()
            if self.box.dirty and now_ns >= flush_ns:
                self.box.flush()
                flush_ns = now_ns + FLUSH_NS
            due_ns = self.box.censor.next_due()
            if due_ns is not None and due_ns <= now_ns:
                self.box.release(now_ns)
                due_ns = self.box.censor.next_due()
            timeout = 0.0 if more else self._patience(now_ns, due_ns, flush_ns)
            queues = [] if self.holding else [self.queue]
            readable, writable, _ = select.select(
                [*queues, *wakeups, *self.control.readers()], self.control.writers(), [], timeout
            )
            more = False
            for ready in readable:
                if ready is self.queue:
                    more = self.queue.read() == BATCH
                    self.box.settle()
                elif ready == wakeup:
                    os.read(wakeup, 512)
                    self.reload_if_told()
                else:
                    self.serve(ready)
            for ready in writable:
                self.serve(ready)

    def _patience(self, now_ns: int, due_ns: int | None, flush_ns: int) -> float | None:
        """Seconds until something must be done without being asked; None: nothing will."""
        times = [] if due_ns is None else [due_ns]
        if self.box.dirty:
            times.append(flush_ns)
        return max(0, min(times) - now_ns) / 1e9 if times else None

    def finish(self) -> None:
        """Take the rules away, decide on what still waits, let held packets go."""
        if self.rules is not None:
            self.rules.remove()
        self.drain()
        self.kernel.remove()

    def drain(self) -> None:
        """Decide on what still waits when no more comes, and let held packets go."""
        for _ in range(DRAIN_BATCHES):
            if not self.queue.read():
                break
        self.box.let_go()
        self.box.settle()

    def close(self) -> None:
        """Bring everything to disk and close it. Raises OSError if the disk will not have it."""
        try:
            self.box.settle()
        finally:
            self.control.close()
            self.queue.close()
            self.sender.close()
            self.log.close()
            self.writer.close()

    def serve(self, ready: object) -> None:
        """Serve what `select` found ready of the control connections."""
        self.control.serve(ready)

    def _take(self, packet: Packet) -> None:
        self.box.take(packet)

    def _record(self, said: bytes) -> None:
        self.log.write(said)
        if self.control.watched:
            self.control.publish(said)

    # -- control ------------------------------------------------------------------------------------------------------

    def enter(self, phase: str, now_ns: int = 0) -> int:
        """Enter a phase, now or at a time that several have agreed on."""
        now_ns = now_ns or self.clock.now()
        self.box.censor.enter_phase(phase, now_ns)
        self.sidecar.enter(phase, before_packet=self.box.packets, t_ns=now_ns)
        self.phase = phase
        return self.box.packets

    def reload(self, source: str) -> int:
        try:
            policy = read(source, self._out / f".{self.name}.policy.yaml")
            self.kernel.change(policy)
        except (LoadError, TableError, OSError) as error:
            raise ValueError(f"the policy stays as it is: {error}") from error
        self.change(policy, self.clock.now())
        if "\n" not in source:
            self.source = source
        return self.box.packets

    def change(self, policy: Policy, now_ns: int) -> None:
        """Decide by another policy from the next packet on, which the kernel's table is for already."""
        self.box.censor.change(policy, now_ns)
        self.sidecar.change(
            policy=policy.name, policy_text=policy.source_text, before_packet=self.box.packets, t_ns=now_ns
        )
        self.policy = policy

    def hits(self) -> dict[str, int]:
        counters = self.box.censor.counters()
        return {key.removeprefix("rule:"): count for key, count in counters.items() if key.startswith("rule:")}

    def stats(self, window: str, *, reset: bool) -> Message:
        box = self.box
        full, lost = self.queue.lost()
        figures = box.meter.read(window, self.clock.now(), full + max(lost, box.unseen), reset=reset)
        return {
            "alive": True,
            "box": box.name,
            "policy": self.policy.name,
            "phase": self.phase,
            **figures,
            "held": box.held,
            "overruns": self.queue.overruns,
            "sent": self.sender.sent,
            "send_failures": self.sender.reasons,
            "clock": "reading" if box.untimed else "kernel",
            "fail": "open" if self.fail_open else "closed",
            "scheduling": self.scheduling,
            **self.queue.facts(),
            **self.kernel.facts(),
            "kernel": self.kernel.counts(),
            "counters": box.censor.counters(),
        }


def fresh(out: Path, name: str) -> Path:
    """The place of a box's capture, in a folder that there is from now on. Raises AttachError if it holds packets."""
    capture = out / f"{name}.pcap"
    if capture.exists() and capture.stat().st_size > PCAP_HEADER:
        raise AttachError(f"'{capture}' holds the packets of an earlier run; give another --out or --name")
    out.mkdir(parents=True, exist_ok=True)
    return capture


def read(source: str, place: Path) -> Policy:
    """A policy by its name or path, or by its text, which is put into a file of its own for that. Raises LoadError."""
    if "\n" not in source:
        return Policy.load(source)
    try:
        place.write_text(source, encoding="utf-8")
        return Policy.load(place)
    finally:
        place.unlink(missing_ok=True)
