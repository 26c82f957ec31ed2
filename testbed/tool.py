"""What a VPN or proxy is made of: a server abroad, clients that connect to it, and how a workload goes through.

Values and protocols only; each tool is a file in `tools/`. What stands here says nothing of censors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from testbed.failure import is_failure
from testbed.workload import Done


class Kind(Enum):
    """How traffic gets into a tool."""

    TUNNEL = "tunnel"  #: an IP interface; whoever binds to no address goes through it, and nowhere else
    PROXY = "proxy"  #: SOCKS 5 on a port of the client itself; who does not ask it goes the direct way


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """How a workload goes through a tool; an empty field does not apply.

    Through a tunnel goes who binds to `source` or to nothing; through a proxy who asks it.
    """

    proxy: str = ""  #: "socks5h://127.0.0.1:1080": the proxy looks names up
    source: str = ""  #: the address inside the tunnel, to bind to; it stays when the tunnel is down, and leads nowhere
    interface: str = ""
    exit: str = ""  #: the address that servers see: the relay's


class Command(Protocol):
    """A program that was started on a lab host."""

    @property
    def pid(self) -> int: ...  #: as the lab's other hosts see it; 0 if it could not be started
    @property
    def error(self) -> str: ...  #: why it could not be started
    def signal(self, number: int) -> None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int | None: ...
    def close(self) -> None: ...


class Host(Protocol):
    """A lab host on which a tool's programs run; `testbed.emulate.hosts.Host` is one."""

    @property
    def name(self) -> str: ...
    @property
    def ipv4(self) -> str: ...
    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        input: str | bytes = b"",
    ) -> Done: ...
    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Command: ...


class ToolError(Exception):
    """A tool could not be used, for a reason that is the machine's and not the network's; for people."""


class NotUp(Exception):
    """A client did not get through to its server: in a censored network an outcome like any other."""

    def __init__(self, tool: str, failure: str, seconds: float, said: str) -> None:
        if not failure or not is_failure(failure):
            raise ValueError(f"'{failure}' is none of OONI's failure strings (see testbed.failure)")
        super().__init__(f"{tool} was not up after {seconds:.1f} s: {failure}; it last said: {said or 'nothing'}")
        self.failure = failure  #: OONI's string
        self.seconds = seconds  #: from the client's start
        self.said = said  #: the last words of the client


class Tunnel(Protocol):
    """A client that was connected; whether it still is, the next fetch through it tells."""

    @property
    def via(self) -> Via: ...
    @property
    def ready_s(self) -> float: ...  #: seconds from the client's start to the answer to a request through it
    @property
    def pids(self) -> tuple[int, ...]: ...  #: the client's programs; none where the kernel does it all
    def alive(self) -> bool: ...  #: the client runs, connected or not
    def reconnects(self) -> int: ...  #: how often it has connected anew by itself, as far as its log tells
    def log(self) -> str: ...
    def close(self) -> None: ...  #: ends all that was started, and takes its interface and routes away


class Serving(Protocol):
    """A tool's server, up and ready; clients of several hosts may be connected at the same time."""

    @property
    def address(self) -> str: ...  #: of the server; also the exit
    @property
    def pids(self) -> tuple[int, ...]: ...
    def connect(self, client: Host, limit_s: float, source: str = "") -> Tunnel:
        """Start a client and wait until a request through it has come out at the relay; raises `NotUp`.

        `source`: which of the subscriber's addresses it speaks from; by itself the first.
        """

    def alive(self) -> bool: ...
    def log(self) -> str: ...
    def close(self) -> None: ...  #: ends its clients too


class Tool(Protocol):
    """One VPN or proxy."""

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def programs(self) -> Mapping[str, str]: ...  #: program -> the Debian package that brings it
    @property
    def asks_version(self) -> tuple[str, ...]: ...  #: the command that tells which version is installed
    @property
    def server_ports(self) -> tuple[tuple[str, int], ...]: ...  #: ("udp", 51820)
    def means(self) -> str: ...  #: which variant is used on this machine, for rows: "kernel", "wireguard-go"
    def serve(self, relay: Host, limit_s: float = 30.0) -> Serving:
        """Start the server on a foreign host and wait until it is ready; raises `ToolError`."""
