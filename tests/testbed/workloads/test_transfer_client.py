"""The program that fetches and sends, run as the lab runs it, against a server of this test."""

from __future__ import annotations

import ast
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import testbed.workloads
from testbed.emulate import services
from testbed.emulate.trust import Authority
from tests.testbed.workloads.https_server import CONTENT, PAGE, HttpsServer

PROGRAM = Path(testbed.workloads.__file__).parent / "transfer_client.py"


@pytest.fixture
def server(certificate: Path) -> Iterator[HttpsServer]:
    server = HttpsServer(certificate)
    yield server
    server.close()


def _run(port: int, certificate: Path, *steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    job = {
        "host": "localhost",
        "port": port,
        "family": 4,
        "source": "127.0.0.1",
        "proxy": "",
        "where": False,
        "limit_s": 10,
        "stall_s": 5,
        "interval_s": 0.05,
        "seconds": 0,
        "again": False,
        "steps": steps,
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), json.dumps(job)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CURL_CA_BUNDLE": str(certificate)},
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _get(size: int, offset: int = 0) -> dict[str, Any]:
    return {"method": "GET", "path": "/object/10M", "size": size, "offset": offset}


def _put(size: int) -> dict[str, Any]:
    return {"method": "PUT", "path": "/upload", "size": size}


def test_what_was_fetched_is_counted_over_all_requests_of_the_connection(
    server: HttpsServer, certificate: Path
) -> None:
    page = {"method": "GET", "path": "/page", "sha256": sha256(PAGE).hexdigest()}
    report = _run(server.port, certificate, page, _get(100_000), _get(50_000, 990_000), where=True)
    assert (report["ended"], report["error"], report["bytes"]) == ("all", "", len(PAGE) + 150_000)
    assert report["where"] == "127.0.0.1"
    times = [report[name] for name in ("connect_s", "tls_s", "content_from_s", "first_byte_s", "seconds")]
    assert times == sorted(times)
    assert report["series"][-1][1] == report["bytes"]
    assert report["tcp"]["data_segments"] > 0


def test_an_upload_arrives_whole_and_is_confirmed(server: HttpsServer, certificate: Path) -> None:
    report = _run(server.port, certificate, _put(300_000))
    assert (report["ended"], report["bytes"]) == ("all", 300_000)
    assert server.received == [CONTENT[:300_000]]
    amounts = [amount for _, amount, _, _ in report["series"]]
    assert amounts == sorted(amounts)


def test_an_upload_that_the_server_does_not_confirm_is_none(server: HttpsServer, certificate: Path) -> None:
    server.confirms = False
    report = _run(server.port, certificate, _put(1000))
    assert (report["ended"], report["stage"]) == ("failure", "content")


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"\0", lambda data: b"<html>" + data[6:]])
def test_content_that_is_not_the_servers_is_refused(
    server: HttpsServer, certificate: Path, spoil: Callable[[bytes], bytes]
) -> None:
    server.spoil = spoil
    report = _run(server.port, certificate, _get(50_000))
    assert (report["ended"], report["stage"]) == ("failure", "content")


def test_shorter_content_and_other_pages_are_refused(server: HttpsServer, certificate: Path) -> None:
    server.spoil = lambda data: data[:10]
    report = _run(server.port, certificate, _get(50_000))
    assert report["error"] == "the content has 10 bytes, not 50000"
    page = {"method": "GET", "path": "/page", "sha256": sha256(b"another").hexdigest()}
    assert _run(server.port, certificate, page)["error"] == "the page is not that of the asked host"
    report = _run(server.port, certificate, {"method": "GET", "path": "/nothing"})
    assert (report["stage"], report["status"]) == ("status", 404)


def test_a_transfer_that_stands_still_has_failed_after_the_stall(server: HttpsServer, certificate: Path) -> None:
    server.hang_after = 16_000
    report = _run(server.port, certificate, _get(100_000), stall_s=0.6)
    assert (report["ended"], report["stage"], report["bytes"]) == ("failure", "read", 16_000)
    assert report["error"] == "timed out: nothing moved for 0.6 s"
    assert 0.6 < report["seconds"] < 3


def test_after_its_seconds_a_transfer_is_enough(server: HttpsServer, certificate: Path) -> None:
    report = _run(server.port, certificate, _get(500_000), seconds=0.5, again=True)
    assert report["ended"] == "time"
    assert report["bytes"] > 1_000_000  # more than one round
    assert report["content_from_s"] + 0.5 <= report["seconds"] < 3


def test_a_refused_connection_and_a_wrong_certificate_are_told_in_words(server: HttpsServer, certificate: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        report = _run(free.getsockname()[1], certificate, _get(1))
    assert (report["stage"], report["error"]) == ("connect", "Connection refused")
    report = _run(server.port, certificate, _get(1), host="127.0.0.1")
    assert report["stage"] == "tls"
    assert "certificate verify failed" in report["error"]


def test_a_reset_is_told_from_an_end(certificate: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def reset_then_end() -> None:
        for reset in (True, False):
            peer, _ = listening.accept()
            peer.recv(65536)
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

    thread = threading.Thread(target=reset_then_end)
    thread.start()
    port = listening.getsockname()[1]
    assert _run(port, certificate, _get(1))["error"] == "Connection reset by peer"
    assert _run(port, certificate, _get(1))["error"] == "unexpected eof"
    thread.join()
    listening.close()


def test_through_a_proxy_the_proxy_is_told_the_name(server: HttpsServer, certificate: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def proxy() -> None:
        peer, _ = listening.accept()
        peer.recv(3)
        peer.sendall(b"\x05\x00")
        asked.append(peer.recv(512))
        with socket.create_connection(("127.0.0.1", server.port)) as beyond:
            peer.sendall(b"\x05\x00\x00\x01" + bytes(6))
            back = threading.Thread(target=_pass, args=(beyond, peer))
            back.start()
            _pass(peer, beyond)
            back.join()
        peer.close()

    thread = threading.Thread(target=proxy)
    thread.start()
    where = f"socks5h://127.0.0.1:{listening.getsockname()[1]}"
    report = _run(server.port, certificate, _get(10_000), proxy=where, source="", where=True)
    thread.join()
    listening.close()
    assert (report["ended"], report["bytes"]) == ("all", 10_000)
    assert asked[0][:5] == b"\x05\x01\x00\x03\x09"
    assert asked[0][5:14] == b"localhost"


def _pass(here: socket.socket, there: socket.socket) -> None:
    while data := here.recv(65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)


def test_a_proxy_that_refuses_is_told_as_such(certificate: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def proxy() -> None:
        peer, _ = listening.accept()
        peer.recv(3)
        peer.sendall(b"\x05\x00")
        peer.recv(512)
        peer.sendall(b"\x05\x04\x00\x01" + bytes(6))
        peer.close()

    thread = threading.Thread(target=proxy)
    thread.start()
    where = f"socks5h://127.0.0.1:{listening.getsockname()[1]}"
    report = _run(443, certificate, _get(1), proxy=where, source="")
    thread.join()
    listening.close()
    assert (report["stage"], report["error"]) == ("proxy", "the proxy refused with code 4")


def test_it_knows_the_noise_that_the_labs_server_has(tmp_path: Path) -> None:
    from testbed.workloads.transfer_client import NOISE_BYTES, NOISE_SEED

    assert len(CONTENT) == 2 * NOISE_BYTES
    assert NOISE_SEED == 1
    services.write_web(tmp_path / "web", tmp_path, (), Authority.make(), ipv6=False)
    there = (tmp_path / "web" / "object" / "10M").read_bytes()
    assert there == CONTENT[:NOISE_BYTES] * 10


def test_it_imports_nothing_of_this_project() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert not {name for name in names if name.split(".")[0] in ("middlebox", "testbed", "scenarios")}
