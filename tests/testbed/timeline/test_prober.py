"""The prober as it runs on a host, against a server of this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from testbed.timeline import prober


class _Where(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.client_address[0]}\n".encode()
        # in one piece: in two, the second would wait for the client's delayed acknowledgement
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Where) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _first(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-I", "-S", prober.__file__, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    said: dict[str, Any] = json.loads(line)
    return said


def test_an_answer_tells_whence_one_came_and_how_long_a_round_trip_takes(server: int) -> None:
    said = _first(f"127.0.0.1:{server}", "other.example", "0.1", "2", "127.0.0.5")
    assert said["ok"] is True
    assert said["exit"] == "127.0.0.5"
    assert 0 < said["rtt"] < 2
    assert 0 < said["seconds"] < 2
    assert said["ended"] >= said["t"]


def test_nobody_there_and_no_answer_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert _first(f"127.0.0.1:{port}", "other.example", "5", "0.2")["why"] == "timeout"
    said = _first(f"127.0.0.1:{port}", "other.example", "5", "0.2")
    assert (said["ok"], said["why"]) == (False, "ECONNREFUSED")


def test_a_source_address_that_is_gone_is_told() -> None:
    said = _first("127.0.0.1:9", "other.example", "5", "0.2", "203.0.113.77")
    assert said["why"] == "EADDRNOTAVAIL"


def _socks(listening: socket.socket) -> None:
    """One connection through a proxy that speaks SOCKS 5 without asking who it is."""
    client, _ = listening.accept()
    with client:
        client.recv(3)
        client.sendall(b"\x05\x00")
        asked = client.recv(10)
        port = int.from_bytes(asked[8:10], "big")
        with socket.create_connection((socket.inet_ntoa(asked[4:8]), port)) as server:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            for _ in range(2):
                server.sendall(client.recv(4096))
                heard = b""
                while not heard.endswith(b"1\n"):
                    heard += server.recv(4096)
                client.sendall(heard)


def test_a_proxy_is_asked_for_the_address(server: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_socks, args=(listening,), daemon=True).start()
        proxy = f"socks5h://127.0.0.1:{listening.getsockname()[1]}"
        said = _first(f"127.0.0.1:{server}", "other.example", "60", "2", "", proxy)
    assert (said["ok"], said["exit"]) == (True, "127.0.0.1")


def test_probes_go_on_until_nobody_listens(server: int) -> None:
    command = [sys.executable, "-I", "-S", prober.__file__, f"127.0.0.1:{server}", "other.example", "0.05", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        times = [json.loads(process.stdout.readline())["t"] for _ in range(3)]
        process.stdout.close()
        assert process.wait(10) == 0
    assert times[2] - times[0] >= 0.08
