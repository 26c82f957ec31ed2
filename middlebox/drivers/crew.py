"""A box of several workers: starts them, shares the packets out among them, and speaks for all of them.

It sees no packet. If one worker is gone the box is dead, as one without its process: what is left of it ends, its rules
stay, and the worker is named.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from middlebox.drivers.attach import LET_BY, AttachError, Rules
from middlebox.drivers.box import Clock
from middlebox.drivers.control import Control, Message
from middlebox.drivers.hand import Hand, WorkerError
from middlebox.drivers.kernel import Kernel
from middlebox.drivers.live import fresh, read
from middlebox.drivers.log import Sidecar
from middlebox.drivers.merging import merge
from middlebox.drivers.sums import together
from middlebox.drivers.tables import TableError
from middlebox.drivers.unnumbered import MARK
from middlebox.drivers.worker import Post, work
from middlebox.load import LoadError
from middlebox.policy import Policy
from middlebox.splitting import unsplittable


class Crew:
    """The box's first process, which has the control socket and the rules; the answers are those of one box.

    `prepare`: what a worker does to be scheduled first; it says what was granted. Raises AttachError or OSError.
    """

    def __init__(self, policy: Policy, options: argparse.Namespace, prepare: Callable[[], str]) -> None:
        why = unsplittable(policy)
        if why:
            raise AttachError(why)
        self._out = Path(options.out)
        fresh(self._out, options.name)
        self.policy = policy
        self.stopping = False
        self.reloading = False  #: read the policy's file again as soon as may be
        self.phase = ""
        self.scheduling = ""  #: workers ask for theirs
        self._options = options
        self._source = options.policy
        self._clock = Clock()
        self._policies = os.memfd_create("policy")
        self._hands: list[Hand] = []
        self._complete = False  #: all workers have been ready
        self._watching = False
        self.kernel = Kernel(options.queue)
        self.rules: Rules | None = None
        try:
            for number in range(options.workers):
                self._hands.append(self._start(number, prepare))
            for hand in self._hands:
                hand.wait_ready()
            self._complete = True
            self.sidecar = Sidecar(
                self._out / f"{options.name}.json",
                box=options.name,
                seed=options.seed,
                policy=policy.name,
                policy_text=policy.source_text,
            )
            self.control = Control(options.control, self.answer)
        except BaseException:
            self._end()
            raise

    def _start(self, number: int, prepare: Callable[[], str]) -> Hand:
        def be(asked: int, watched: int) -> int:
            for other in self._hands:
                other.close()  # or it would not hear that the crew is gone
            post = Post(number=number, asked=asked, watched=watched, policies=self._policies, clock=self._clock)
            return work(self.policy, self._options, post, prepare)

        return Hand(number, be)

    def attach(self) -> None:
        """From now on the packets come. Raises AttachError."""
        options = self._options
        if options.data_plane == "kernel":
            self.kernel.install(self.policy)
        else:
            self.kernel.why_not = "asked for"
            self.kernel.clean()
        self.rules = Rules(
            options.queue,
            fail_open=options.fail == "open",
            mark=MARK,
            let_by=LET_BY if self.kernel.works else 0,
            workers=options.workers,
        )
        try:
            self.rules.add()
        except AttachError:
            self.kernel.remove()
            raise
        self._ask({"do": "begin", "first": self.kernel.first or 0, "kernel_times": not self.rules.wait_before})
        self.enter(options.phase)  # also if it has no name: cycles count from the same time everywhere

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self, wakeup: int) -> None:
        """Serve control connections until told to stop; raises WorkerError. `wakeup`: readable after a signal."""
        asked = {hand.asked.fileno(): hand for hand in self._hands}
        watched = {hand.watched.fileno(): hand for hand in self._hands}
        while not self.stopping:
            readable, writable, _ = select.select(
                [wakeup, *asked, *watched, *self.control.readers()], self.control.writers(), []
            )
            for ready in readable:
                if ready == wakeup:
                    os.read(wakeup, 512)
                    self._reload_if_told()
                elif isinstance(ready, int) and ready in asked:
                    raise asked[ready].gone()  # it has not been asked, so it cannot be an answer
                elif isinstance(ready, int) and ready in watched:
                    for said in watched[ready].decisions():
                        self.control.publish(said)
                else:
                    self.control.serve(ready)
            for ready in writable:
                self.control.serve(ready)
            if self.control.watched and not self._watching:
                self._watching = True
                for hand in self._hands:
                    hand.watch()

    def finish(self) -> None:
        """Take the rules away, have the workers decide on what still waits, and see them end. Raises WorkerError."""
        if self.rules is not None:
            self.rules.remove()
        self._ask({"do": "stop"})
        for hand in self._hands:
            hand.wait_done()
        self.kernel.remove()

    def close(self) -> None:
        """End what still runs, and put together what the workers have left."""
        self.control.close()
        self._end()
        merge(self._out, self._options.name, len(self._hands))

    def _end(self) -> None:
        for hand in self._hands:
            hand.close()
        for hand in self._hands:
            hand.end()
        os.close(self._policies)

    # -- control ------------------------------------------------------------------------------------------------------

    def _ask(self, request: Message) -> list[Message]:
        """Ask all workers at once; raises WorkerError if one does not answer, and ValueError with what one says."""
        for hand in self._hands:
            hand.ask(request)
        said = [hand.heard() for hand in self._hands]  # those of all, or the next answers would be to this question
        for one in said:
            if "error" in one:
                raise ValueError(one["error"])
        return said

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """A moment at which no worker decides: all packets before it have been decided on, and all later ones wait."""
        self._ask({"do": "hold"})
        try:
            yield self._clock.now()
        finally:
            self._ask({"do": "go"})

    def enter(self, phase: str) -> int:
        """Have all workers enter a phase; how many packets they had decided on."""
        with self._held() as now_ns:
            count = _packets(self._ask({"do": "phase", "name": phase, "t_ns": now_ns}))
        self.sidecar.enter(phase, before_packet=count, t_ns=now_ns)
        self.phase = phase
        return count

    def reload(self, source: str) -> int:
        """Go on under another policy, as `Live.reload` does; how many packets had been decided on."""
        try:
            policy = read(source, self._out / f".{self._options.name}.policy.yaml")
            why = unsplittable(policy)
            if why:
                raise ValueError(f"the policy stays as it is: {why}")
            with self._held() as now_ns:
                self.kernel.change(policy)
                os.truncate(self._policies, 0)
                os.pwrite(self._policies, pickle.dumps(policy), 0)
                count = _packets(self._ask({"do": "change", "first": self.kernel.first or 0, "t_ns": now_ns}))
        except (LoadError, TableError, OSError) as error:
            raise ValueError(f"the policy stays as it is: {error}") from error
        self.sidecar.change(policy=policy.name, policy_text=policy.source_text, before_packet=count, t_ns=now_ns)
        self.policy = policy
        if "\n" not in source:
            self._source = source
        return count

    def _reload_if_told(self) -> None:
        if self.reloading:
            self.reloading = False
            try:
                self.reload(self._source)
            except ValueError as error:
                print(f"box '{self._options.name}': {error}", file=sys.stderr, flush=True)

    def answer(self, request: Message) -> Message:
        """The answer to one request of a control client; raises ValueError with the reason why there is none."""
        wanted = request.get("do")
        if wanted == "stats":
            question = {"do": "stats", "window": str(request.get("window", "")), "reset": request.get("reset") is True}
            return self._stats(self._ask(question))
        if wanted == "rules":
            hits = together([{"hits": one["hits"]} for one in self._ask({"do": "rules"})])["hits"]
            said: Message = {"policy": self.policy.name, "sentences": self.policy.sentences(), "hits": hits}
            return said | {"kernel": self.kernel.counts()}
        if wanted == "phase":
            name = request.get("name")
            if not isinstance(name, str):
                raise ValueError('a phase needs its name, such as {"do": "phase", "name": "during"}')
            return {"phase": name, "before_packet": self.enter(name)}
        if wanted == "reload":
            source = request.get("policy", self._source)
            if not isinstance(source, str) or not source:
                raise ValueError('a reload may name a policy, such as {"do": "reload", "policy": "sni-drop"}')
            count = self.reload(source)
            return {"policy": self.policy.name, "before_packet": count}
        if wanted == "stop":
            self.stopping = True
            return {"stopping": True}
        if wanted == "ping":
            told: Message = {"alive": True, "box": self._options.name, "pid": os.getpid(), "workers": len(self._hands)}
            return told | self.kernel.facts()
        raise ValueError(f"no request {wanted!r}; there are stats, rules, watch, phase, reload, stop and ping")

    def _stats(self, said: list[Message]) -> Message:
        """What all workers have measured, as of one box, and what each has."""
        own: Message = {"box": self._options.name, "phase": self.phase, "queue": self._options.queue}
        own |= self.kernel.facts() | {"kernel": self.kernel.counts()}
        each = [{key: value for key, value in one.items() if key not in own or key == "queue"} for one in said]
        return together(said) | own | {"workers": each}


def _packets(said: list[Message]) -> int:
    counts = [one["before_packet"] for one in said]
    return sum(count for count in counts if isinstance(count, int))


__all__ = ["Crew", "WorkerError"]
