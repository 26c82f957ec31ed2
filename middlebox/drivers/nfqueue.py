"""The box's process: feeds the censor from the kernel's NFQUEUE inside a network namespace of the lab.

Usage: python -m middlebox.drivers.nfqueue --policy PATH --name box --seed N --out DIR. It refuses to run in the host's
own network namespace. Rates and connection marks are not its business: every forwarded packet visits the censor.

It prints `ready` when it is attached and exits with 0 after SIGTERM, SIGINT or the request `stop`; 2 if it was asked
for what cannot be; 3 if it broke while it ran. Then its rules stay, and the kernel drops what is forwarded (fail
closed) or lets it pass (fail open).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from netfilterqueue import Packet

from middlebox.censor import Censor
from middlebox.drivers.attach import AttachError, Rules, programs, refusal
from middlebox.drivers.box import Box, Clock
from middlebox.drivers.capture import Writer
from middlebox.drivers.control import Control, Message
from middlebox.drivers.log import DecisionLog, Sidecar
from middlebox.drivers.nfnetlink import BATCH, MAX_WAITING, KernelQueue
from middlebox.drivers.send import Sender
from middlebox.drivers.unnumbered import MARK
from middlebox.load import LoadError
from middlebox.policy import Policy

#: how long packets may wait to be on disk; Wireshark on a running lab is at most this much behind
FLUSH_NS = 200_000_000
#: batches that are still decided on after the rules are gone: all that can wait in the queue, and an end to it
DRAIN_BATCHES = MAX_WAITING // BATCH
#: the niceness of a box that may not be scheduled in real time
NICE = -10
#: bytes of a capture without packets
PCAP_HEADER = 24


class _Live:
    """The box with everything around it: the loop, and the answers to control requests."""

    def __init__(self, policy: Policy, options: argparse.Namespace) -> None:
        out = Path(options.out)
        capture = out / f"{options.name}.pcap"
        if capture.exists() and capture.stat().st_size > PCAP_HEADER:
            raise AttachError(f"'{capture}' holds the packets of an earlier run; give another --out or --name")
        out.mkdir(parents=True, exist_ok=True)
        self.policy = policy
        self.clock = Clock()
        self.stopping = False
        self.phase = ""
        self.scheduling = ""
        self.fail_open = options.fail == "open"
        self.queue = KernelQueue(options.queue, self._take, fail_open=self.fail_open)
        self.sender = Sender(options.queue + 1)
        self.writer = Writer(capture)
        self.log = DecisionLog(out / "decisions.jsonl")
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
        self.rules = Rules(options.queue, fail_open=self.fail_open, mark=MARK)

    def attach(self) -> None:
        """From now on the packets come. Raises AttachError."""
        self.rules.add()
        # a packet that waited elsewhere since the kernel noted its arrival tells nothing of the time spent here
        self.box.kernel_times = not self.rules.wait_before

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self, wakeup: int) -> None:
        """Serve packets, timers and control connections until told to stop. `wakeup`: readable after a signal."""
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
            readable, writable, _ = select.select(
                [self.queue, wakeup, *self.control.readers()], self.control.writers(), [], timeout
            )
            more = False
            for ready in readable:
                if ready is self.queue:
                    more = self.queue.read() == BATCH
                    self.box.settle()
                elif ready == wakeup:
                    os.read(wakeup, 512)
                else:
                    self.control.serve(ready)
            for ready in writable:
                self.control.serve(ready)

    def _patience(self, now_ns: int, due_ns: int | None, flush_ns: int) -> float | None:
        """Seconds until something must be done without being asked; None: nothing will."""
        times = [] if due_ns is None else [due_ns]
        if self.box.dirty:
            times.append(flush_ns)
        return max(0, min(times) - now_ns) / 1e9 if times else None

    def finish(self) -> None:
        """Take the rules away, decide on what still waits, let held packets go."""
        self.rules.remove()
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

    def _take(self, packet: Packet) -> None:
        self.box.take(packet)

    def _record(self, said: bytes) -> None:
        self.log.write(said)
        if self.control.watched:
            self.control.publish(said)

    # -- control ------------------------------------------------------------------------------------------------------

    def enter(self, phase: str) -> None:
        now_ns = self.clock.now()
        self.box.censor.enter_phase(phase, now_ns)
        self.sidecar.enter(phase, before_packet=self.box.packets, t_ns=now_ns)
        self.phase = phase

    def answer(self, request: Message) -> Message:
        """The answer to one request of a control client; raises ValueError with the reason why there is none."""
        wanted = request.get("do")
        if wanted == "stats":
            return self._stats(str(request.get("window", "")), reset=request.get("reset") is True)
        if wanted == "rules":
            counters = self.box.censor.counters()
            hits = {key.removeprefix("rule:"): count for key, count in counters.items() if key.startswith("rule:")}
            return {"policy": self.policy.name, "sentences": self.policy.sentences(), "hits": hits}
        if wanted == "phase":
            name = request.get("name")
            if not isinstance(name, str):
                raise ValueError('a phase needs its name, such as {"do": "phase", "name": "during"}')
            self.enter(name)
            return {"phase": name, "before_packet": self.box.packets}
        if wanted == "stop":
            self.stopping = True
            return {"stopping": True}
        if wanted == "ping":
            return {"alive": True, "box": self.box.name, "pid": os.getpid()}
        raise ValueError(f"no request {wanted!r}; there are stats, rules, watch, phase, stop and ping")

    def _stats(self, window: str, *, reset: bool) -> Message:
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
            "counters": box.censor.counters(),
        }


@contextlib.contextmanager
def _signals(live: _Live) -> Iterator[int]:
    """SIGTERM and SIGINT stop the loop; gives the descriptor that wakes it up."""

    def stop(_number: int, _frame: object) -> None:
        live.stopping = True

    wakeup, alarm = socket.socketpair()
    for end in (wakeup, alarm):
        end.setblocking(False)
    before = signal.set_wakeup_fd(alarm.fileno())
    kept = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield wakeup.fileno()
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in kept.items():
            signal.signal(number, handler)
        wakeup.close()
        alarm.close()


def come_first() -> str:
    """Ask the system to let this process run before others, and say what it granted.

    A box that waits for the processor adds delay that no policy means. Two cores with two busy processes, 99th
    percentile of what the box adds: 0.3 ms in real time, 0.7-12 ms by niceness, 4-36 ms without either.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:  # in an ordinary user's lab; or the system gives this group of processes no real time
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        return f"nice {nice}" if nice else "normal"
    return "realtime"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m middlebox.drivers.nfqueue", description="a box inside a network namespace of the lab"
    )
    parser.add_argument("--policy", required=True, help="a policy file, or the name of a shipped policy")
    parser.add_argument("--out", required=True, help="folder for NAME.pcap, NAME.json and decisions.jsonl")
    parser.add_argument("--name", default="box", help="the box's name in its files (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the only source of chance (default: %(default)s)")
    parser.add_argument(
        "--fail",
        choices=("open", "closed"),
        default="closed",
        help="what happens to packets while the box is dead or overrun: they pass, or they are dropped "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--queue", type=int, default=0, help="number of the NFQUEUE; the next one is used too (default: %(default)s)"
    )
    parser.add_argument(
        "--control", default="", help="path of the control socket, or the number of an inherited socket (default: none)"
    )
    parser.add_argument("--phase", default="", help="the phase of the run to begin with (default: none)")
    options = parser.parse_args(arguments)
    if not 0 <= options.queue < 0xFFFF:
        parser.error(f"--queue is {options.queue}; it must lie in 0 to 65534 (the next one is used too)")
    if "/" in options.name or not options.name or options.name == "decisions":
        parser.error(f"--name is '{options.name}'; it becomes a file name, so it must be a plain word")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a box until it is told to stop; return the exit status."""
    options = _options(arguments)
    try:
        why = refusal()
        if why:
            raise AttachError(why)
        programs()
        live = _Live(Policy.load(options.policy), options)
    except (AttachError, LoadError, OSError) as error:
        print(f"box '{options.name}': {error}", file=sys.stderr)
        return 2
    live.scheduling = come_first()
    gc.freeze()  # what is there now stays: no pass over it in the packet path
    try:
        with _signals(live) as wakeup, contextlib.closing(live):
            live.attach()
            print("ready", flush=True)
            live.run(wakeup)
            live.finish()
    except AttachError as error:
        print(f"box '{options.name}': {error}", file=sys.stderr)
        return 2
    except Exception as error:
        traceback.print_exc()
        print(f"box '{options.name}' broke while it ran: {type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
