"""A page by name over HTTP/3, as a client with aioquic gets it: look up, QUIC, request; failures in OONI's words.

It tries one address once, follows nothing, and resumes nothing. TCP is not tried, as browsers would.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted
from simpy.events import Event

from testbed import failure
from testbed.simulate.clock import SECOND_NS, Signal
from testbed.simulate.fetch import Fetched
from testbed.simulate.host import Host
from testbed.simulate.names import look_up
from testbed.simulate.quic.chance import QuicChance
from testbed.simulate.quic.end import QuicEnd
from testbed.simulate.web import HTTPS


def fetch(
    host: Host,
    resolver: str,
    authority: str,
    name: str,
    path: str = "/",
    *,
    random: Random,
    family: int = 4,
    limit_s: float = 10.0,
    source: str = "",
    resolving: Host | None = None,
) -> Generator[Event, Any, Fetched]:
    """Fetch a page. `source`: the address to come from; `resolving`: who looks the name up, if not this host.

    `Fetched.connected_s` and `secured_s` are both the handshake's end: with QUIC they are one.
    """
    clock = host.clock
    begin_ns = clock.now_ns
    done = Fetched()

    def now_s() -> float:
        return (clock.now_ns - begin_ns) / SECOND_NS

    found = yield from look_up(resolving or host, resolver, name, random=random, family=family, limit_s=limit_s)
    if found.failure:
        done.failure, done.seconds = found.failure, now_s()
        return done
    done.address, done.looked_up_s = found.addresses[0], now_s()
    socket = host.datagrams(address=source)
    chance = QuicChance(random)
    with chance:
        connection = QuicConnection(
            configuration=QuicConfiguration(alpn_protocols=H3_ALPN, server_name=name, cadata=authority.encode())
        )
    end = QuicEnd(connection, clock, chance, lambda data, remote: socket.send(data, remote))
    changed = Signal(clock)
    end.happened, socket.heard = changed.tell, end.take
    asking = _Asking(end, done, now_s, name, path)
    end.connect((done.address, HTTPS))
    while not asking.over:
        left_s = limit_s - now_s()
        if left_s <= 0:
            done.failure = failure.TIMEOUT
            break
        if not end.events:
            yield changed.next | clock.wait(left_s)
        asking.go_on()
    done.body, done.seconds = b"".join(asking.parts), now_s()
    connection.close()
    end.go_on()
    socket.close()
    return done


class _Asking:
    """A request on a connection: made when the handshake is over, until its answer has come or the connection ends."""

    def __init__(self, end: QuicEnd, done: Fetched, now_s: Callable[[], float], name: str, path: str) -> None:
        self.parts: list[bytes] = []
        self.over = False
        self._end, self._done, self._now_s = end, done, now_s
        self._request = {
            ":method": "GET",
            ":scheme": "https",
            ":authority": name,
            ":path": path,
            "user-agent": "penstock",
        }
        self._http: H3Connection | None = None

    def go_on(self) -> None:
        """Look at what has happened."""
        done, events = self._done, self._end.events
        while events and not self.over:
            event = events.popleft()
            if isinstance(event, ConnectionTerminated):
                done.failure, done.note = failure.from_quic(event.error_code, event.reason_phrase), event.reason_phrase
                self.over = True
            elif isinstance(event, HandshakeCompleted):
                done.connected_s = done.secured_s = self._now_s()
                self._ask()
            elif self._http is not None:
                for told in self._http.handle_event(event):
                    self._take(told)

    def _ask(self) -> None:
        connection = self._end.connection
        self._http = H3Connection(connection)
        request = self._request | {"user-agent": "penstock"}
        fields = [(name.encode(), value.encode()) for name, value in request.items()]
        self._http.send_headers(connection.get_next_available_stream_id(), fields, end_stream=True)
        self._end.go_on()

    def _take(self, told: H3Event) -> None:
        if isinstance(told, HeadersReceived):
            self._done.first_byte_s = self._now_s()
            fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in told.headers}
            self._done.fields, self._done.status = fields, int(fields.get(":status", "0"))
        elif isinstance(told, DataReceived):
            self.parts.append(told.data)
        if isinstance(told, (HeadersReceived, DataReceived)):
            self.over = self.over or told.stream_ended
