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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from middlebox.drivers.attach import AttachError
from middlebox.drivers.box import Clock
from middlebox.drivers.control import Control, Message
from middlebox.drivers.front import Front
from middlebox.drivers.hand import Hand, WorkerError
from middlebox.drivers.live import fresh, read
from middlebox.drivers.log import Sidecar
from middlebox.drivers.merging import merge
from middlebox.drivers.sums import together
from middlebox.drivers.tables import TableError
from middlebox.drivers.worker import Post, work
from middlebox.load import LoadError
from middlebox.policy import Policy
from middlebox.splitting import unsplittable


class Crew(Front):
    """The box's first process, which has the control socket and the rules; the answers are those of one box.

    `prepare`: what a worker does to be scheduled first; it says what was granted. Raises AttachError or OSError.
    """

    def __init__(self, policy: Policy, options: argparse.Namespace, prepare: Callable[[], str]) -> None:
        why = unsplittable(policy)
        if why:
            raise AttachError(why)
        super().__init__(policy, options, workers=options.workers)  # workers ask for their own scheduling
        self._out = Path(options.out)
        fresh(self._out, options.name)
        self._clock = Clock()
        self._policies = os.memfd_create("policy")
        self._hands: list[Hand] = []
        self._complete = False  #: all workers have been ready
        self._watching = False
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
        rules = self.lay_rules()
        self._ask({"do": "begin", "first": self.kernel.first or 0, "kernel_times": not rules.wait_before})
        self.enter(self._options.phase)  # also if it has no name: cycles count from the same time everywhere

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
                    self.reload_if_told()
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
        merge(self._out, self.name, len(self._hands))

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
            policy = read(source, self._out / f".{self.name}.policy.yaml")
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
            self.source = source
        return count

    def hits(self) -> Mapping[str, object]:
        hits = together([{"hits": one["hits"]} for one in self._ask({"do": "rules"})])["hits"]
        assert isinstance(hits, Mapping)
        return hits

    def stats(self, window: str, *, reset: bool) -> Message:
        """What all workers have measured, as of one box, and what each has."""
        said = self._ask({"do": "stats", "window": window, "reset": reset})
        own: Message = {"box": self.name, "phase": self.phase, "queue": self._options.queue}
        own |= self.kernel.facts() | {"kernel": self.kernel.counts()}
        each = [{key: value for key, value in one.items() if key not in own or key == "queue"} for one in said]
        return together(said) | own | {"workers": each}


def _packets(said: list[Message]) -> int:
    counts = [one["before_packet"] for one in said]
    return sum(count for count in counts if isinstance(count, int))


__all__ = ["Crew", "WorkerError"]
