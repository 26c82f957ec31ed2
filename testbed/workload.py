"""What an attempt is made of: a target, a lab host that asks, and what it saw.

Values and protocols only; each application is a file in `workloads/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from testbed.failure import is_failure
from testbed.result import Outcome
from testbed.series import Series

MOST_BYTES = 10_000_000  #: of the longest object that the lab's server has


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked for, and why it is in the scenario."""

    name: str  #: one word for tables: "browser-blocked"
    about: str  #: for the report: "the blocked name, asked for by a browser"
    host: str  #: the DNS name
    workload: str
    listed: bool  #: whether a censor that blocks `blocked.example` and all below it means this one
    family: int = 4  #: 4, 6
    size: int = 0  #: bytes of content, for transfers; 0: as the workload says
    seconds: float = (
        0.0  #: so long a transfer that has not ended by itself is watched, and then is enough; 0: to its end
    )
    skip_s: float = 0.0  #: of the beginning of the content, left out of the goodput: bursts, slow start
    tool: str = ""  #: the VPN or proxy that it goes through, or what changes its packets; "" for none

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MOST_BYTES:
            raise ValueError(f"target '{self.name}': size {self.size}; expected 0 to {MOST_BYTES} bytes")
        if self.seconds and not 0 <= self.skip_s < self.seconds:
            raise ValueError(
                f"target '{self.name}': {self.seconds:g} s, of which {self.skip_s:g} s are left out; nothing remains"
            )
        if self.seconds < 0 or self.skip_s < 0:
            raise ValueError(f"target '{self.name}': times cannot be negative")
        if self.tool and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.tool):
            raise ValueError(f"target '{self.name}': a tool's name is made of small letters, digits and hyphens")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise ValueError(f"target '{self.name}': a name is made of small letters, digits and hyphens")
        if self.family not in (4, 6):
            raise ValueError(f"target '{self.name}': family {self.family}; expected 4 or 6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the client saw of one attempt; the same words and units as in `Row`."""

    outcome: Outcome
    failure: str = ""
    seconds: float | None = None
    time_to_first_byte: float | None = None
    goodput: float | None = None
    bytes: int | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    note: str = ""
    rtt_s: float | None = None
    min_rtt_s: float | None = None
    retransmitted: float | None = None
    exit_address: str = ""
    series: Series | None = None  #: for the figures; it stands in no row
    steps_s: tuple[float, ...] = ()  #: how long each request took
    segments: tuple[tuple[float, float, float], ...] = ()  #: of a video: asked for, there (both s), bit/s
    delivered: Series | None = None  #: segments that had reached the other end, by the sender's kernel

    def __post_init__(self) -> None:
        if not is_failure(self.failure):
            raise ValueError(f"'{self.failure}' is none of OONI's failure strings (see testbed.failure)")


class Done(Protocol):
    """A command that ended on a lab host."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def timed_out(self) -> bool: ...


class Started(Protocol):
    """A command that runs on a lab host."""

    def signal(self, number: int) -> None: ...
    def wait(self, timeout: float | None = None) -> int | None: ...
    def close(self) -> None: ...


class Host(Protocol):
    """A lab host that can run a command."""

    def run(
        self, argv: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None
    ) -> Done: ...


class Server(Protocol):
    """The lab host that serves: a command can be started there, to watch it from that end."""

    @property
    def name(self) -> str: ...
    def start(self, argv: Sequence[str], *, stdout: int | None = None) -> Started: ...


class Through(Protocol):
    """How an attempt goes through a VPN or a proxy; `testbed.tool.Via` is one. What does not apply is empty."""

    @property
    def proxy(self) -> str: ...  #: "socks5h://127.0.0.1:1080": the proxy looks names up
    @property
    def source(self) -> str: ...  #: the address inside the tunnel, to bind to
    @property
    def exit(self) -> str: ...  #: the address that servers see


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """All that one attempt needs."""

    host: Host
    target: Target
    limit_s: float  #: the client gives up after this time
    source: str = ""  #: the client's own address; "": the system chooses
    via: Through | None = None  #: the VPN or proxy that it has to go through
    server: Server | None = None  #: the host that serves the target, for what the sender's kernel knows
    truth: Mapping[str, Sequence[str]]  #: DNS name -> the addresses that the lab's servers really have

    @property
    def bind(self) -> str:
        """The address that a client binds to; "" for none, as when it only speaks with a proxy beside it."""
        return self.source if self.via is None else self.via.source

    @property
    def proxy(self) -> str:
        return self.via.proxy if self.via else ""

    @property
    def peer(self) -> str:
        """The client's address as the server sees it; "" if that is not known before."""
        return self.source if self.via is None else self.via.exit

    def address(self) -> str:
        """The true address of the target in its family; raises `ValueError` if it has none."""
        for one in self.truth.get(self.target.host, ()):
            if (":" in one) == (self.target.family == 6):
                return one
        raise ValueError(f"'{self.target.host}' has no IPv{self.target.family} address in this lab")


class Workload(Protocol):
    """One application; `measure` runs it once and never raises for what a network can do."""

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def protocol(self) -> str: ...  #: "https", "dns": in the words of `middlebox.intent`
    @property
    def says_name(self) -> bool: ...  #: whether the target's name is there for a censor to read
    @property
    def heavy(self) -> bool: ...  #: takes so much of a core to start that its attempts start one after another
    @property
    def fills(self) -> bool: ...  #: takes all the capacity that there is: unless it is slowed, it is made alone
    def size(self, target: Target) -> int: ...  #: bytes of content that an attempt asks for; 0 for next to nothing
    def measure(self, ask: Ask) -> Observation: ...


def no_result(note: str) -> Observation:
    """The attempt could not be made, for a reason that is the lab's and not the network's."""
    return Observation(outcome=Outcome.NO_RESULT, note=" ".join(note.split())[:300])


def report_of(done: Done, grace_s: float) -> dict[str, Any] | Observation:
    """What a client program reported as JSON, or why there is no result; it had `grace_s` beyond its own limit."""
    if done.timed_out:
        return no_result(f"the client did not end {grace_s:g} s after its own limit")
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return no_result(f"the client gave no report (exit status {done.status}): {done.stderr[-200:]}")
    return report
