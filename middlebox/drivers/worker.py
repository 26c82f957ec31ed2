"""One of several workers of a box: a queue, an engine, a capture and a log of its own, in a process of its own.

It adds no rules and loads no table, and is asked by its crew alone. While it is held, its packets wait in the queue, so
that all workers of a box enter a phase, or take another policy, between the same two packets.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from middlebox.drivers.attach import AttachError
from middlebox.drivers.box import Clock
from middlebox.drivers.conntrack import Conntrack
from middlebox.drivers.control import Message
from middlebox.drivers.kernel import plan_of
from middlebox.drivers.live import Live
from middlebox.drivers.log import worker_name
from middlebox.drivers.marks import Marks
from middlebox.drivers.unnumbered import MARK
from middlebox.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a worker is given when it starts; the numbers are of files that it inherits."""

    number: int  #: which worker it is, from 0
    asked: int  #: a socket by which its crew asks
    watched: int  #: a socket by which its crew watches
    policies: int  #: a file in which its crew puts the policy that is to come
    clock: Clock  #: the same for all workers, so that their times can be compared


class Worker(Live):
    """A box as `Live` has it, between other hands."""

    def __init__(self, policy: Policy, options: argparse.Namespace, post: Post) -> None:
        name = worker_name(options.name, post.number)
        of_its_own = {
            "name": name,
            "queue": options.queue + 2 * post.number,
            "control": f"{post.asked},{post.watched}",
            "phase": "",
        }
        super().__init__(
            policy,
            argparse.Namespace(**vars(options) | of_its_own),
            clock=post.clock,
            log=f"{name}.jsonl",
            mark=MARK + post.number,
        )
        self.holding = True
        self.deserted = False  #: its crew is gone
        self._policies = post.policies
        self._conntrack: Conntrack | None = None
        self._marks: Marks | None = None

    def serve(self, ready: object) -> None:
        super().serve(ready)
        if self.control.deserted:
            self.stopping = self.deserted = True

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._conntrack is not None:
                self._conntrack.close()

    def answer(self, request: Message) -> Message:
        """Beside what any box answers: `begin`, `hold`, `go`, and `phase` and `change` at a time that is given."""
        wanted = request.get("do")
        if wanted == "begin":
            self._begin(_number(request, "first"))
            self.box.kernel_times = request.get("kernel_times") is True
        elif wanted == "hold":
            self.holding = True
        elif wanted == "go":
            self.holding = False
        elif wanted == "phase":
            self.enter(str(request.get("name", "")), _number(request, "t_ns"))
        elif wanted == "change":
            policy: Policy = pickle.loads(os.pread(self._policies, os.fstat(self._policies).st_size, 0))
            if self._marks is not None:
                self._marks.change(policy, plan_of(policy, first=_number(request, "first")))
            self.change(policy, _number(request, "t_ns"))
        else:
            return super().answer(request)
        return {"before_packet": self.box.packets}

    def _begin(self, first: int) -> None:
        """From now on flows may be left to the kernel, by the numbers from `first` on; 0: they may not."""
        if first:
            self._conntrack = Conntrack()
            self._marks = Marks(self.policy, plan_of(self.policy, first=first), self._conntrack)
            self.box.fates = self._marks


def _number(request: Message, name: str) -> int:
    value = request.get(name)
    return value if isinstance(value, int) else 0


def work(policy: Policy, options: argparse.Namespace, post: Post, prepare: Callable[[], str]) -> int:
    """Be a worker until the crew says `stop` or is gone; the exit status.

    `prepare` asks for priority. The first line to the crew tells that it is ready, or why it cannot be.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # those are for the crew
        signal.signal(number, signal.SIG_IGN)
    try:
        worker = Worker(policy, options, post)
    except (AttachError, OSError) as error:
        _tell(post.asked, {"error": str(error)})
        return 2
    worker.scheduling = prepare()
    _tell(post.asked, {"ready": True})
    try:
        try:
            worker.run()
            if not worker.deserted:
                worker.drain()
        finally:
            worker.close()
    except Exception as error:
        traceback.print_exc()
        print(f"worker {post.number} broke while it ran: {type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 3 if worker.deserted else 0


def _tell(asked: int, message: Message) -> None:
    os.write(asked, json.dumps(message).encode() + b"\n")
