"""Ask a web server again and again where one comes from, and tell each answer as a line of JSON.

A program of its own, run on a lab host: `prober.py ADDRESS:PORT NAME INTERVAL LIMIT [SOURCE [PROXY]]`. It imports
nothing of this project, so that it starts fast, and needs no name to be looked up. Each probe is a connection of its
own: `GET /where`, then the same again over the connection that stands, whose answer takes one round trip.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
import time

_WRITING = threading.Lock()


def main(address: str, name: str, interval: str, limit: str, source: str = "", proxy: str = "") -> int:
    """Probe until killed, or until nobody listens."""
    request = f"GET /where HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
    next_s = time.monotonic()
    while True:
        words = (address, request, float(limit), source, proxy)
        threading.Thread(target=_probe, args=words, daemon=True).start()
        next_s += float(interval)
        time.sleep(max(0.0, next_s - time.monotonic()))


def _probe(address: str, request: bytes, limit_s: float, source: str, proxy: str) -> None:
    began_s, begin = time.time(), time.monotonic()
    told: dict[str, object] = {"t": round(began_s, 4), "ok": False}
    end = begin + limit_s
    try:
        with _connect(address, end, source, proxy) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            told["exit"] = _ask(server, request, end)
            told["seconds"] = round(time.monotonic() - begin, 5)
            again = time.monotonic()
            _ask(server, request, end)
            told["rtt"] = round(time.monotonic() - again, 5)
            told["ok"] = True
    except TimeoutError:
        told["why"] = "timeout"
    except OSError as error:
        told["why"] = errno.errorcode.get(error.errno or 0, str(error))
    told["ended"] = round(began_s + time.monotonic() - begin, 4)
    with _WRITING:
        try:
            print(json.dumps(told), flush=True)
        except OSError:
            os._exit(0)  # nobody listens any more


def _connect(address: str, end: float, source: str, proxy: str) -> socket.socket:
    to, _, port = address.rpartition(":")
    if not proxy:
        return socket.create_connection((to, int(port)), _left(end), (source, 0) if source else None)
    host, _, own_port = proxy.rpartition("://")[2].rpartition(":")
    server = socket.create_connection((host, int(own_port)), _left(end))
    try:  # RFC 1928, no authentication
        server.sendall(b"\x05\x01\x00")
        _exactly(server, 2, end)
        server.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(to) + int(port).to_bytes(2, "big"))
        if _exactly(server, 10, end)[1]:
            raise OSError("the proxy does not reach it")
    except BaseException:
        server.close()
        raise
    return server


def _ask(server: socket.socket, request: bytes, end: float) -> str:
    """Send the request; return the body of the answer, which is short."""
    server.settimeout(_left(end))
    server.sendall(request)
    heard = b""
    while b"\r\n\r\n" not in heard or not heard.endswith(b"\n"):
        heard += _some(server, end)
    head, _, body = heard.partition(b"\r\n\r\n")
    if b" 200 " not in head[:16]:
        raise OSError(f"answered {head[:30]!r}")
    while not body.endswith(b"\n"):
        body += _some(server, end)
    return body.decode(errors="replace").strip()


def _exactly(server: socket.socket, count: int, end: float) -> bytes:
    heard = b""
    while len(heard) < count:
        heard += _some(server, end)
    return heard


def _some(server: socket.socket, end: float) -> bytes:
    server.settimeout(_left(end))
    part = server.recv(4096)
    if not part:
        raise ConnectionResetError(errno.ECONNRESET, "closed")
    return part


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
