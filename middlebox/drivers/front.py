"""A box as the outside has it: its rules in the namespace, and its answers over the control socket.

Who decides on packets, one process or several, is a subclass's business.
"""

from __future__ import annotations

import argparse
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping

from middlebox.drivers.attach import LET_BY, AttachError, Rules
from middlebox.drivers.control import Message
from middlebox.drivers.kernel import Kernel
from middlebox.drivers.unnumbered import MARK
from middlebox.policy import Policy


class Front(ABC):
    """One box, by its name, its policy, and what the command line says of it."""

    def __init__(self, policy: Policy, options: argparse.Namespace, *, workers: int = 1) -> None:
        self.policy = policy
        self.name: str = options.name
        self.workers = workers
        self.phase = ""
        self.scheduling = ""  #: what the system granted
        self.stopping = False
        self.reloading = False  #: read the policy's file again as soon as may be
        self.kernel = Kernel(options.queue)
        self.rules: Rules | None = None
        self.source: str = options.policy  #: where the policy is read from: a path, or a shipped name
        self._options = options

    def lay_rules(self) -> Rules:
        """Load the kernel's table, if that is to have a share, and add the rules. Raises AttachError."""
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
            workers=self.workers,
        )
        try:
            self.rules.add()
        except AttachError:
            self.kernel.remove()
            raise
        return self.rules

    @abstractmethod
    def enter(self, phase: str) -> int:
        """Enter a phase; how many packets were decided on before."""

    @abstractmethod
    def reload(self, source: str) -> int:
        """Go on under another policy: a path, a shipped name, or a text of several lines. No flow is lost.

        How many packets were decided on before. Raises ValueError with the reason, and then nothing has changed.
        """

    @abstractmethod
    def stats(self, window: str, *, reset: bool) -> Message:
        """What was measured in a window, and what is counted from the start on."""

    @abstractmethod
    def hits(self) -> Mapping[str, object]:
        """How often each rule has matched."""

    def reload_if_told(self) -> None:
        """Read the policy again after a signal; say what is wrong with it."""
        if self.reloading:
            self.reloading = False
            try:
                self.reload(self.source)
            except ValueError as error:
                print(f"box '{self.name}': {error}", file=sys.stderr, flush=True)

    def answer(self, request: Message) -> Message:
        """The answer to one request of a control client; raises ValueError with the reason why there is none."""
        wanted = request.get("do")
        if wanted == "stats":
            return self.stats(str(request.get("window", "")), reset=request.get("reset") is True)
        if wanted == "rules":
            said: Message = {"policy": self.policy.name, "sentences": self.policy.sentences(), "hits": self.hits()}
            return said | {"kernel": self.kernel.counts()}
        if wanted == "phase":
            name = request.get("name")
            if not isinstance(name, str):
                raise ValueError('a phase needs its name, such as {"do": "phase", "name": "during"}')
            return {"phase": name, "before_packet": self.enter(name)}
        if wanted == "reload":
            source = request.get("policy", self.source)
            if not isinstance(source, str) or not source:
                raise ValueError('a reload may name a policy, such as {"do": "reload", "policy": "sni-drop"}')
            count = self.reload(source)
            return {"policy": self.policy.name, "before_packet": count}
        if wanted == "stop":
            self.stopping = True
            return {"stopping": True}
        if wanted == "ping":
            told: Message = {"alive": True, "box": self.name, "pid": os.getpid(), "workers": self.workers}
            return told | self.kernel.facts()
        raise ValueError(f"no request {wanted!r}; there are stats, rules, watch, phase, reload, stop and ping")
