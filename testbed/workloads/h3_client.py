"""Get a page over HTTP/3 by aioquic, and report it as JSON: `h3_client.py HOST PATH FAMILY LIMIT_S SOURCE`.

A program of its own, run on a lab host; it imports nothing of this project. One address of the name is tried, once, and
TCP is not. SOURCE is the address to come from; "" leaves it to the system.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent

_PORT = 443


class _Client(QuicConnectionProtocol):
    """The connection, with one request."""

    def __init__(self, quic: QuicConnection, host: str, path: str, report: dict[str, Any], began: float) -> None:
        super().__init__(quic)
        self._host, self._path, self._report, self._began = host, path, report, began
        self._http: H3Connection | None = None
        self._body = b""
        self.over = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        report = self._report
        if isinstance(event, ConnectionTerminated):
            if not self.over.is_set():
                report.update(ended="closed", code=event.error_code, reason=event.reason_phrase)
            self.over.set()
        elif isinstance(event, HandshakeCompleted):
            report["connect_s"] = time.monotonic() - self._began
            self._http = H3Connection(self._quic)
            fields = {":method": "GET", ":scheme": "https", ":authority": self._host, ":path": self._path}
            fields["user-agent"] = "penstock"
            made = [(name.encode(), value.encode()) for name, value in fields.items()]
            self._http.send_headers(self._quic.get_next_available_stream_id(), made, end_stream=True)
            self.transmit()
        elif self._http is not None:
            for told in self._http.handle_event(event):
                if isinstance(told, HeadersReceived):
                    report["first_byte_s"] = time.monotonic() - self._began
                    report["status"] = int(dict(told.headers).get(b":status", b"0"))
                elif isinstance(told, DataReceived):
                    self._body += told.data
                if isinstance(told, (HeadersReceived, DataReceived)) and told.stream_ended:
                    report.update(ended="all", body=self._body.decode(errors="replace"))
                    self.over.set()


async def _fetch(host: str, path: str, family: int, limit_s: float, source: str) -> dict[str, Any]:
    report: dict[str, Any] = {"ended": "time", "status": 0, "body": "", "code": 0, "reason": ""}
    # reading certificates is not the network's time
    authorities = os.environ.get("SSL_CERT_FILE") or os.environ.get("CURL_CA_BUNDLE")
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=host, cafile=authorities)
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit_s):
            wanted = socket.AF_INET6 if family == 6 else socket.AF_INET
            try:
                found = await loop.getaddrinfo(host, _PORT, family=wanted, type=socket.SOCK_DGRAM)
            except OSError as error:
                report.update(ended="resolve", reason=str(error.strerror or error))
                return report
            report["resolve_s"] = time.monotonic() - began
            local = (source or ("::" if family == 6 else "0.0.0.0"), 0)
            _, client = await loop.create_datagram_endpoint(
                lambda: _Client(QuicConnection(configuration=configuration), host, path, report, began),
                local_addr=local,
            )
            client.connect(found[0][4])
            await client.over.wait()
    except TimeoutError:
        report["ended"] = "time"
    except OSError as error:
        report.update(ended="error", reason=str(error.strerror or error))
    finally:
        report["seconds"] = time.monotonic() - began
    return report


def main(host: str, path: str, family: str, limit_s: str, source: str) -> int:
    """Print the report; the exit status is 0 whatever the network did."""
    print(json.dumps(asyncio.run(_fetch(host, path, int(family), float(limit_s), source))), flush=True)
    os._exit(0)  # a thread may still be looking a name up


if __name__ == "__main__":
    main(*sys.argv[1:])
