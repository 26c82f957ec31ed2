"""Pages over TLS from a server of this test, by the real curl and the real browser's hello."""

from __future__ import annotations

import dataclasses
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from testbed.result import Outcome
from testbed.tool import Via
from testbed.workload import Ask, Done, Host, Observation, Target
from testbed.workloads.web import Browser, Web, WebWithoutSni
from tests.testbed.workloads.on_this_machine import Ended, Saying, ThisMachine


class Server:
    """Answers each TLS connection with `answer`, and keeps the first bytes and the SNI of each."""

    def __init__(self, certificate: Path) -> None:
        self.answer = b""
        self.sni: list[str | None] = []
        self.hello_segments: list[int] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.sni_callback = lambda _socket, name, _context: self.sni.append(name)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def page(self, text: str, status: str = "200 OK") -> None:
        self.answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError:
                return
            try:
                raw.settimeout(3)
                with self._context.wrap_socket(raw, server_side=True) as peer:
                    peer.recv(65536)
                    peer.sendall(self.answer)
            except OSError:
                raw.close()


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    server = Server(certificate)
    server.page("This is blocked.example.\n")
    yield server
    server.close()


def _ask(server: Server, certificate: Path, host: str = "blocked.example") -> Ask:
    lead = ["--connect-to", f"::127.0.0.1:{server.port}"]
    machine = ThisMachine(insert=lead, env={"CURL_CA_BUNDLE": str(certificate)})
    target = Target(name="page", about="a page", host=host, workload="web", listed=True)
    return Ask(host=machine, target=target, limit_s=3, source="127.0.0.1", truth={host: ("203.0.113.10",)})


def test_the_hosts_own_page_is_ok(server: Server, certificate: Path) -> None:
    seen = Web().measure(_ask(server, certificate))
    assert (seen.outcome, seen.failure, seen.note) == (Outcome.OK, "", "")
    assert server.sni == ["blocked.example"]
    assert seen.bytes == len("This is blocked.example.\n")
    assert seen.connect_s is not None
    assert seen.tls_s is not None
    assert seen.time_to_first_byte is not None
    assert seen.seconds is not None
    assert seen.goodput == pytest.approx(seen.bytes * 8 / seen.seconds)
    assert 0 < seen.connect_s <= seen.tls_s <= seen.time_to_first_byte <= seen.seconds < 3


@pytest.mark.parametrize(
    ("text", "status", "failure"),
    [
        ("Access denied by order", "200 OK", "unknown_failure: the page is not that of the asked host"),
        ("This is notblocked.example.", "200 OK", "unknown_failure: the page is not that of the asked host"),
        ("This is blocked.example.org.", "200 OK", "unknown_failure: the page is not that of the asked host"),
        ("This is blocked.example.", "451 Unavailable", "http_unexpected_status_code"),
        ("", "302 Found", "http_unexpected_redirect_url"),
    ],
)
def test_another_page_is_blocked(server: Server, certificate: Path, text: str, status: str, failure: str) -> None:
    server.page(text, status)
    seen = Web().measure(_ask(server, certificate))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, failure)


def test_another_hosts_certificate_is_blocked(server: Server, certificate: Path) -> None:
    seen = Web().measure(_ask(server, certificate, host="other.example"))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "ssl_invalid_hostname")


def test_a_certificate_of_nobody_is_blocked(server: Server, certificate: Path) -> None:
    ask = _ask(server, certificate)
    assert isinstance(ask.host, ThisMachine)
    ask.host.env = {"CURL_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}
    seen = Web().measure(ask)
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "ssl_unknown_authority")


def test_without_sni_the_server_is_asked_by_address(server: Server, certificate: Path) -> None:
    seen = WebWithoutSni().measure(_ask(server, certificate))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert server.sni == [None]


def test_a_host_without_an_address_gives_no_result(server: Server, certificate: Path) -> None:
    ask = _ask(server, certificate, host="other.example")
    ask = Ask(host=ask.host, target=ask.target, limit_s=3, truth={})
    seen = WebWithoutSni().measure(ask)
    assert seen.outcome is Outcome.NO_RESULT
    assert "other.example" in seen.note


def test_a_source_address_that_is_not_ours_gives_no_result(server: Server, certificate: Path) -> None:
    ask = _ask(server, certificate)
    ask = Ask(host=ask.host, target=ask.target, limit_s=3, source="203.0.113.77", truth={})
    seen = Web().measure(ask)
    assert seen.outcome is Outcome.NO_RESULT
    assert "curl (45)" in seen.note


def test_a_browsers_page_is_ok_and_its_hello_spans_two_segments(certificate: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        target = Target(name="page", about="a page", host=f"localhost:{port}", workload="web-chrome", listed=True)
        ask = Ask(host=ThisMachine(), target=target, limit_s=3, truth={})
        hello: list[bytes] = []

        def meet() -> None:
            listening.settimeout(10)
            peer, _ = listening.accept()
            hello.append(peer.recv(65536))
            peer.close()

        thread = threading.Thread(target=meet, daemon=True)
        thread.start()
        seen = Browser().measure(ask)
        thread.join(5)
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "eof_error"), seen
    assert "curl_cffi" not in seen.note
    assert not seen.note.startswith("Failed to perform")
    assert hello[0][0] == 22  # a TLS handshake record
    assert len(hello[0]) > 1460  # more than one segment holds on an Ethernet


def test_a_browser_believes_the_labs_authority(server: Server, certificate: Path) -> None:
    server.page(f"This is localhost:{server.port}.\n")
    target = Target(name="page", about="a page", host=f"localhost:{server.port}", workload="web-chrome", listed=True)
    machine = ThisMachine(env={"CURL_CA_BUNDLE": str(certificate)})
    seen = Browser().measure(Ask(host=machine, target=target, limit_s=3, source="127.0.0.1", truth={}))
    assert (seen.outcome, seen.failure) == (Outcome.OK, ""), seen
    assert seen.tls_s is not None


def _saying(code: int, message: str, stderr: str = "") -> Ask:
    report = {
        "exitcode": code,
        "errormsg": message,
        "http_code": 0,
        "size_download": 0,
        "time_total": 0.04,
        "time_connect": 0.0,
        "time_appconnect": 0.0,
        "time_starttransfer": 0.0,
    }
    ended = Ended(status=code, stdout="\n" + json.dumps(report), stderr=stderr)
    target = Target(name="page", about="a page", host="blocked.example", workload="web", listed=True, family=6)
    return Ask(host=Saying(ended=ended), target=target, limit_s=3, source="2001:db8::5", truth={})


def test_the_cause_of_a_failed_connect_comes_from_the_verbose_log() -> None:
    log = "*   Trying 203.0.113.10:443...\n* connect to 203.0.113.10 port 443 failed: No route to host\n"
    seen = Web().measure(_saying(7, "Failed to connect: Couldn't connect to server", log))
    assert seen.failure == "host_unreachable"
    assert seen.seconds == 0.04


@pytest.mark.parametrize("end", ["reset", "silence"])
@pytest.mark.parametrize("workload", [Web(), Browser()])
def test_a_transfer_that_fails_in_tls_tells_when_tcp_was_connected(workload: Web | Browser, end: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def meet() -> None:
            listening.settimeout(20)
            peer, _ = listening.accept()
            peer.recv(65536)
            time.sleep(0.3 if end == "reset" else 4)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

        thread = threading.Thread(target=meet, daemon=True)
        thread.start()
        target = Target(name="page", about="a page", host=f"localhost:{port}", workload=workload.name, listed=True)
        limit_s = 10 if end == "reset" else 2
        seen = workload.measure(Ask(host=ThisMachine(), target=target, limit_s=limit_s, truth={}))
        thread.join(10)
    assert seen.failure == ("connection_reset" if end == "reset" else "generic_timeout_error")
    assert seen.tls_s is None
    assert seen.connect_s is not None
    assert seen.seconds is not None
    assert 0 < seen.connect_s < seen.seconds - 0.25


def test_the_time_of_connecting_is_counted_from_the_logs_end_over_midnight_too() -> None:
    log = "23:59:59.980000 * Connected to blocked.example\n00:00:00.010000 * Closing connection 0\n"
    assert Web().measure(_saying(35, "Connection reset by peer", log)).connect_s == pytest.approx(0.01)
    assert Web().measure(_saying(28, "Connection timed out", "12:00:00.1 *   Trying\n")).connect_s is None


def test_a_mistake_of_ours_is_no_result() -> None:
    assert Web().measure(_saying(3, "URL using bad/illegal format")).outcome is Outcome.NO_RESULT


def test_a_missing_curl_is_no_result() -> None:
    ask = _saying(0, "")
    ask = Ask(host=Saying(ended=Ended(status=127, stderr="curl: not found")), target=ask.target, limit_s=3, truth={})
    seen = Web().measure(ask)
    assert seen.outcome is Outcome.NO_RESULT
    assert "curl: not found" in seen.note


def test_curl_is_told_the_source_and_the_family() -> None:
    ask = _saying(28, "Connection timed out")
    assert Web().measure(ask).failure == "generic_timeout_error"
    assert isinstance(ask.host, Saying)
    (words,) = ask.host.asked
    assert words[:2] == ["curl", "-q"]
    assert "--ipv6" in words
    assert words[words.index("--interface") + 1] == "host!2001:db8::5"


def test_through_a_tool_the_page_counts_only_if_it_came_out_there(server: Server, certificate: Path) -> None:
    def through(exit: str, answer: str) -> Observation:
        ask = dataclasses.replace(_ask(server, certificate), via=Via(source="127.0.0.1", exit=exit))
        server.page("This is blocked.example.\n")
        asked = _Twice(ask.host, then=Ended(stdout=f"{answer}\n\n{{}}"))
        return Web().measure(dataclasses.replace(ask, host=asked))

    seen = through("198.51.100.201", "198.51.100.201")
    assert (seen.outcome, seen.exit_address) == (Outcome.OK, "198.51.100.201")
    past = through("198.51.100.201", "10.0.0.1")
    assert past.outcome is Outcome.NO_RESULT
    assert "it went past the tool: the server saw 10.0.0.1" in past.note


class _Twice:
    """Runs the first command, and answers the second."""

    def __init__(self, host: Host, then: Ended) -> None:
        self._host, self._then, self._asked = host, then, 0

    def run(self, argv: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None) -> Done:
        self._asked += 1
        return self._host.run(argv, timeout=timeout, env=env) if self._asked == 1 else self._then


def test_a_proxy_is_asked_for_the_page_and_nobody_else(server: Server, certificate: Path) -> None:
    host = Saying(ended=Ended())
    ask = dataclasses.replace(_ask(server, certificate), host=host, via=Via(proxy="socks5h://127.0.0.1:1080", exit="x"))
    Web().measure(ask)
    (words,) = host.asked
    assert words[words.index("--proxy") + 1] == "socks5h://127.0.0.1:1080"
    assert "--noproxy" not in words
    assert "--interface" not in words
