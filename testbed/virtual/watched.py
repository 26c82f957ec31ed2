"""A connection over HTTPS that is watched, in virtual time: what has arrived when, and when a transfer is over.

The looks, the counting and the ends are those of the lab's client (`testbed.workloads.transfer_client`), and the report
has its fields. What is asked for on the connection is said in `transfer`. Through a proxy the client's end has no TCP
of its own here: what was handed to the proxy counts as sent, and round trips are the server's.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator
from typing import Any

from simpy.events import Event

from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.names import look_up
from testbed.simulate.tcp import Connection
from testbed.simulate.tls import Carrying, Secure
from testbed.simulate.web import HTTPS
from testbed.topology import Role
from testbed.virtual.asking import Ask
from testbed.workloads.transfer import INTERVAL_S, STALL_S

#: bytes of content in a record of TLS, and what the record adds
CHUNK, EXTRA = 16_384, 22


class EndError(Exception):
    """The transfer has failed: in which stage, and in which words."""

    def __init__(self, stage: str, text: str) -> None:
        super().__init__(text)
        self.stage = stage


class TimeIsOverError(Exception):
    """Enough time was spent; that is an end like any other."""


class Watched:
    """The connection; times in seconds from the attempt's beginning."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.report: dict[str, Any] = {"began_monotonic_s": 0.0, "series": [], "status": 0, "steps_s": []}
        self.flow: dict[str, Any] = {"port": 0, "samples": [], "acked": 0}  #: what the server's TCP knows
        self.connection: Carrying | None = None
        self.over = False
        self.stop_s = 0.0  #: when enough time was spent on content; 0: never
        self.content = 0  #: bytes of content that have arrived, at either end
        #: of the step under way: what had come and was acknowledged when it began, its size, and what was put in
        self.before = self.came_before = self.acked_before = self.wanted = self.put_in = 0
        self.handed = 0  #: bytes that were put in, over all steps
        self.counts_acks = False  #: content is what the other end has acknowledged
        self._clock = ask.lab.clock
        self._begin_ns = self._clock.now_ns
        self._stall_s = min(STALL_S, ask.limit_s)
        self._moved_s = 0.0
        self._secure: Secure | None = None
        self._server: Connection | None = None

    @property
    def now_s(self) -> float:
        return (self._clock.now_ns - self._begin_ns) / SECOND_NS

    @property
    def secure(self) -> Secure:
        assert self._secure is not None, "not connected yet"
        return self._secure

    def connect(self) -> Generator[Event, Any, None]:
        """Look the name up, connect, agree on keys; raises `EndError`."""
        ask, lab = self.ask, self.ask.lab
        target = ask.target
        random = stream(lab.seed, f"transfer {ask.source} {self._begin_ns}")
        found = yield from look_up(
            ask.resolving, lab.resolver, target.host, random=random, family=target.family, limit_s=ask.limit_s
        )
        if found.failure:
            raise EndError("resolve", found.failure)
        left_s = max(0.001, ask.limit_s - self.now_s)
        try:
            connection = yield from ask.dialler.connect(
                found.addresses[0], HTTPS, limit_s=left_s, source=ask.sources[target.family == 6]
            )
        except OSError as error:
            raise EndError("connect", str(error)) from None
        self.connection = connection
        self.report.update(connect_s=self.now_s, local_port=connection.local[1])
        self.flow["port"] = connection.local[1]
        self._find_server()
        self._secure = Secure(connection, lab.context, lab.entropy, self._clock, name=target.host)
        self._moved_s = self.now_s
        self._clock.process(self._look_at_intervals())
        try:
            yield from self.secure.handshake(min(self._stall_s, max(0.001, ask.limit_s - self.now_s)))
        except EOFError:
            raise EndError("tls", "unexpected eof") from None
        except (OSError, ssl.SSLError) as error:
            raise EndError("tls", getattr(error, "verify_message", "") or str(error)) from None
        self.report["tls_s"] = self.now_s

    def _find_server(self) -> None:
        """The server's end: through a tool it is the newest one from the tool's exit."""
        server = self.ask.lab.host(self.ask.lab.topology.having(Role.WEB)[0].name)
        if self.ask.via is not None:
            self._server = server.newest(self.ask.via.exit)
        elif isinstance(self.connection, Connection):
            self._server = server.connection(self.connection.remote, self.connection.local)

    def close(self) -> None:
        """The last look, and the end."""
        self.look()
        self.over = True
        if self.connection is not None:
            self.connection.close()

    # -- looking ------------------------------------------------------------------------------------------------------

    def _look_at_intervals(self) -> Generator[Event, Any, None]:
        while not self.over:
            self.look()
            yield self._clock.wait(INTERVAL_S)

    def look(self) -> None:
        """Note the bytes that have arrived, and what TCP knows at both ends."""
        if self.connection is None:
            return
        if self._server is None:
            self._find_server()  # a proxy stands before it has connected
        if self.counts_acks:
            acked = self.acked - self.acked_before
            content = self.before + min(self.put_in, acked * CHUNK // (CHUNK + EXTRA))
            if content > self.content:
                self.content, self._moved_s = content, self.now_s
        # a record of 16 kB is content only when all of it has come; what has come of it is counted here already
        under_way = (self.secure.came - self.came_before) * CHUNK // (CHUNK + EXTRA)
        arrived = max(self.content, self.before + min(self.wanted, under_way))
        now_s = round(self.now_s, 4)
        trip_us = delivered = 0
        if isinstance(self.connection, Connection):
            here = self.connection.machine.sender
            trip_us, delivered = here.round_trips.smoothed_ns // 1000, here.scores.delivered
            self.report["tcp"] = _told(self.connection)
        self.report["series"].append([now_s, arrived, trip_us, delivered])
        if self._server is not None:
            there = self._server.machine.sender
            self.flow["samples"].append([now_s, there.round_trips.smoothed_ns // 1000, there.scores.delivered])
            self.flow.update(_told(self._server))

    @property
    def acked(self) -> int:
        """Bytes that the other end has acknowledged."""
        if isinstance(self.connection, Connection):
            return self.connection.machine.sender.una
        return self.handed

    @property
    def unsent(self) -> int:
        """Bytes that wait in TCP."""
        return self.connection.machine.sender.unsent if isinstance(self.connection, Connection) else 0

    def rests(self) -> None:
        """Nothing is wanted for now: that is no stall."""
        self._moved_s = self.now_s

    def wait(self, stage: str) -> float:
        """Seconds to wait for at most; raises what ends a transfer."""
        now_s = self.now_s
        if not self.counts_acks:
            self._moved_s = max(self._moved_s, (self.secure.came_ns - self._begin_ns) / SECOND_NS)
        if self.stop_s and now_s >= self.stop_s:
            raise TimeIsOverError
        if now_s >= self.ask.limit_s:
            raise EndError(stage, f"timed out: not over after {self.ask.limit_s:g} s")
        if now_s - self._moved_s >= self._stall_s:
            raise EndError(stage, f"timed out: nothing moved for {self._stall_s:g} s")
        ends_s = [self.ask.limit_s, self._moved_s + self._stall_s, *([self.stop_s] if self.stop_s else [])]
        return max(1e-6, min(ends_s) - now_s)

    # -- bytes, as `http.Reader` wants them ---------------------------------------------------------------------------

    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]:
        """Put bytes in."""
        try:
            yield from self.secure.send(data, limit_s)
            self.handed += len(data)
        except OSError as error:
            raise EndError("write", str(error)) from None

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        """The next bytes of an answer; `wait` alone says when there is no use in waiting."""
        while True:
            try:
                data = yield from self.secure.receive(self.wait("read"))
            except TimeoutError:
                continue
            except (OSError, ssl.SSLError) as error:
                raise EndError("read", str(error)) from None
            if not data:
                raise EndError("read", "unexpected eof")
            return data


def _told(connection: Connection) -> dict[str, int]:
    """What a kernel tells of a connection's sending half."""
    sender = connection.machine.sender
    return {
        "retransmitted": sender.resent,
        "data_segments": sender.sent,
        "acked": sender.una,
        "min_rtt_us": sender.round_trips.least_ns // 1000,
    }
