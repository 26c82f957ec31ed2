"""The failure strings, against what the tools really print."""

import socket
import subprocess
import threading
from collections.abc import Callable

import pytest

from testbed.failure import KNOWN, from_curl, from_dns, from_quic, is_bogon, is_failure, unknown

#: exit status of curl, its message (curl 7.88 and 8.5 with OpenSSL, curl_cffi 0.10 with BoringSSL), OONI's string
SAID = [
    (0, "", ""),
    (28, "Connection timed out after 3001 milliseconds", "generic_timeout_error"),
    (28, "Operation timed out after 3000 milliseconds with 0 bytes received", "generic_timeout_error"),
    (35, "OpenSSL SSL_connect: Connection reset by peer in connection to blocked.example:443", "connection_reset"),
    (35, "Recv failure: Connection reset by peer", "connection_reset"),
    (56, "OpenSSL SSL_read: Connection reset by peer, errno 104", "connection_reset"),
    (35, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to blocked.example:443", "eof_error"),
    (35, "OpenSSL/3.0.19: error:0A000126:SSL routines::unexpected eof while reading", "eof_error"),
    (35, "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number", "ssl_failed_handshake"),
    (35, "TLS connect error: error:10000410:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE",
     "ssl_failed_handshake"),
    (52, "Empty reply from server", "eof_error"),
    (18, "transfer closed with 812 bytes remaining to read", "eof_error"),
    (60, "SSL: no alternative certificate subject name matches target host name 'a.example'", "ssl_invalid_hostname"),
    (60, "SSL certificate problem: self-signed certificate in certificate chain", "ssl_unknown_authority"),
    (60, "SSL certificate problem: unable to get local issuer certificate", "ssl_unknown_authority"),
    (60, "SSL certificate problem: certificate has expired", "ssl_invalid_certificate"),
    (7, "connect to 203.0.113.9 port 443 failed: No route to host", "host_unreachable"),
    (7, "connect to 2001:db8::9 port 443 failed: Network is unreachable", "network_unreachable"),
    (6, "Could not resolve host: blocked.example", "dns_server_misbehaving"),
    (1, "Received HTTP/0.9 when not allowed", "unknown_failure: curl (1) Received HTTP/0.9 when not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "expected"), SAID)
def test_what_curl_says_gets_oonis_name(code: int, text: str, expected: str) -> None:
    assert from_curl(code, text) == expected
    assert is_failure(from_curl(code, text))


def _curl(url: str) -> tuple[int, str]:
    words = ["curl", "-q", "--silent", "--show-error", "--verbose", "--noproxy", "*", "--max-time", "0.7", url]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr


def _serve(meet: Callable[[socket.socket], None]) -> tuple[socket.socket, threading.Thread]:
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: meet(listening.accept()[0]), daemon=True)
    thread.start()
    return listening, thread


def _reset(peer: socket.socket) -> None:
    peer.recv(1)  # something is left unread: the kernel answers the close with RST
    peer.close()


def _close(peer: socket.socket) -> None:
    peer.recv(65536)
    peer.close()


def _garbage(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    peer.recv(65536)
    peer.close()


def _silence(peer: socket.socket) -> None:
    while peer.recv(65536):
        pass
    peer.close()


@pytest.mark.parametrize(
    ("meet", "scheme", "expected"),
    [
        (_reset, "https", "connection_reset"),
        (_reset, "http", "connection_reset"),
        (_close, "https", "eof_error"),
        (_close, "http", "eof_error"),
        (_garbage, "https", "ssl_failed_handshake"),
        (_silence, "https", "generic_timeout_error"),
    ],
)
def test_the_curl_of_this_machine_is_understood(
    meet: Callable[[socket.socket], None], scheme: str, expected: str
) -> None:
    listening, thread = _serve(meet)
    with listening:
        code, text = _curl(f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join(5)
    assert from_curl(code, text) == expected, text


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    code, text = _curl(f"http://127.0.0.1:{port}/")
    assert code == 7
    assert from_curl(code, text) == "connection_refused"


@pytest.mark.parametrize(
    ("rcode", "expected"),
    [
        ("NOERROR", ""),
        ("NXDOMAIN", "dns_nxdomain_error"),
        ("SERVFAIL", "dns_servfail_error"),
        ("REFUSED", "dns_refused_error"),
        ("NOTIMP", "dns_server_misbehaving"),
    ],
)
def test_a_dns_response_code_gets_oonis_name(rcode: str, expected: str) -> None:
    assert from_dns(rcode) == expected


def test_unknown_failures_keep_the_words_on_one_line_and_short() -> None:
    assert unknown("a\n b") == "unknown_failure: a b"
    assert len(unknown("x" * 1000)) < 250
    assert is_failure(unknown(""))


def test_only_oonis_strings_are_failures() -> None:
    assert is_failure("")
    assert all(is_failure(name) for name in KNOWN)
    assert not is_failure("reset")
    assert not is_failure("unknown_failure: ")


def test_bogons_are_told_from_public_addresses() -> None:
    assert is_bogon("10.10.34.35")  # what Iran's DNS injection answers (Aryan et al., FOCI 2013)
    assert is_bogon("127.0.0.1")
    assert is_bogon("::1")
    assert not is_bogon("8.8.8.8")
    assert not is_bogon("2606:4700::1111")


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (0x1, "Idle timeout", "generic_timeout_error"),
        (0x100 + 42, "hostname 'a.example' doesn't match 'b.example'", "ssl_invalid_hostname"),
        (0x100 + 42, "unable to get local issuer certificate", "ssl_unknown_authority"),
        (0x100 + 42, "self-signed certificate in certificate chain", "ssl_unknown_authority"),
        (0x100 + 48, "", "ssl_unknown_authority"),
        (0x100 + 45, "Certificate is no longer valid", "ssl_invalid_certificate"),
        (0x100 + 40, "No supported cipher suite", "ssl_failed_handshake"),
        (0x0A, "Packet contains no frames", "unknown_failure: QUIC (0xa) Packet contains no frames"),
    ],
)
def test_the_end_of_a_quic_connection_names_its_failure(code: int, reason: str, expected: str) -> None:
    assert from_quic(code, reason) == expected
    assert is_failure(expected)
