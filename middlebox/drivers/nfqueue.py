"""The box's process: feeds the censor from the kernel's NFQUEUE inside a network namespace of the lab.

Usage: python -m middlebox.drivers.nfqueue --policy PATH --name box --seed N --out DIR. It refuses to run in the host's
own network namespace. What the censor has decided for the rest of a flow is left to the kernel where it can do that.

SIGHUP, and the request `reload`, put another policy in the place of the one that runs: flows stay, and a faulty file
changes nothing.

It prints `ready` when it is attached and exits with 0 after SIGTERM, SIGINT or the request `stop`; 2 if it was asked
for what cannot be; 3 if it broke while it ran. Then its rules stay, and the kernel drops what is forwarded (fail
closed) or lets it pass (fail open).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence

from middlebox.drivers.attach import AttachError, programs, refusal
from middlebox.drivers.crew import Crew, WorkerError
from middlebox.drivers.live import Live
from middlebox.drivers.sharing import MAX_WORKERS
from middlebox.load import LoadError
from middlebox.policy import Policy

#: the niceness of a box that may not be scheduled in real time
NICE = -10


@contextlib.contextmanager
def _signals(live: Live | Crew) -> Iterator[int]:
    """SIGTERM and SIGINT stop the loop, SIGHUP has the policy read again; gives the descriptor that wakes it up."""

    def stop(_number: int, _frame: object) -> None:
        live.stopping = True

    def reload(_number: int, _frame: object) -> None:
        live.reloading = True

    wakeup, alarm = socket.socketpair()
    for end in (wakeup, alarm):
        end.setblocking(False)
    before = signal.set_wakeup_fd(alarm.fileno())
    kept = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    kept[signal.SIGHUP] = signal.signal(signal.SIGHUP, reload)
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
        "--workers",
        type=int,
        default=1,
        help="processes, each with two queues, an engine and files of its own (NAME.0.pcap, ...); all packets between "
        "two addresses are one worker's (default: %(default)s)",
    )
    parser.add_argument(
        "--control", default="", help="path of the control socket, or the number of an inherited socket (default: none)"
    )
    parser.add_argument(
        "--data-plane",
        choices=("kernel", "queue"),
        default="kernel",
        help="who carries out what is decided for the rest of a flow: the kernel where it can, or the box, which then "
        "sees every packet (default: %(default)s)",
    )
    parser.add_argument("--phase", default="", help="the phase of the run to begin with (default: none)")
    options = parser.parse_args(arguments)
    if not 1 <= options.workers <= MAX_WORKERS:
        parser.error(f"--workers is {options.workers}; it must lie in 1 to {MAX_WORKERS}")
    most = 0x1_0000 - 2 * options.workers
    if not 0 <= options.queue <= most:
        parser.error(f"--queue is {options.queue}; it must lie in 0 to {most} (the next one is used too)")
    if "/" in options.name or not options.name or options.name == "decisions":
        parser.error(f"--name is '{options.name}'; it becomes a file name, so it must be a plain word")
    return options


def _live(policy: Policy, options: argparse.Namespace) -> Live | Crew:
    """The box, in this process or in several. Raises AttachError or OSError."""
    # a pass over 60,000 flows stops all packets for half a second, and finds nothing: neither the engine nor the box
    # makes cycles (there is a test), so what goes is freed at once without it
    gc.disable()
    if options.workers > 1:
        return Crew(policy, options, come_first)
    live = Live(policy, options)
    live.scheduling = come_first()
    return live


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a box until it is told to stop; return the exit status."""
    options = _options(arguments)
    try:
        why = refusal()
        if why:
            raise AttachError(why)
        programs()
        live = _live(Policy.load(options.policy), options)
    except (AttachError, LoadError, OSError) as error:
        print(f"box '{options.name}': {error}", file=sys.stderr)
        return 2
    try:
        with _signals(live) as wakeup, contextlib.closing(live):
            live.attach()
            print("ready", flush=True)
            live.run(wakeup)
            live.finish()
    except AttachError as error:
        print(f"box '{options.name}': {error}", file=sys.stderr)
        return 2
    except WorkerError as error:
        print(f"box '{options.name}': {error}", file=sys.stderr)
        return 3
    except Exception as error:
        traceback.print_exc()
        print(f"box '{options.name}' broke while it ran: {type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
