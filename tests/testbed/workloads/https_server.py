"""A server over TLS on this machine that does what the lab's does: objects by ranges, uploads, /where."""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONTENT = random.Random(1).randbytes(1_000_000) * 2
PAGE = b"This is localhost.\n" * 100


class HttpsServer:
    """`spoil` may change what is sent of an object; `hang_after` stops sending after so many bytes."""

    def __init__(self, certificate: Path) -> None:
        self.received: list[bytes] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.hang_after: int | None = None
        self.confirms = True
        self.over = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._http = _Listening(("127.0.0.1", 0), _handler(self))
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.port = int(self._http.server_address[1])
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early is no news."""


def _handler(server: HttpsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/where":
                self._say(200, self.client_address[0].encode() + b"\n")
            elif self.path == "/page":
                self._say(200, PAGE)
            elif self.path == "/object/10M":
                first, last = self.headers["Range"].removeprefix("bytes=").split("-")
                self._say(206, server.spoil(CONTENT[int(first) : int(last) + 1]))
            else:
                self._say(404, b"not found\n")

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            server.received.append(data)
            self._say(200, f"received {len(data) if server.confirms else 0}\n".encode())

        def _say(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if server.hang_after is not None and len(data) > server.hang_after:
                self.wfile.write(data[: server.hang_after])
                server.over.wait(20)
                return
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler
