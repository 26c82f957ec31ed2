"""HTTP/1.x requests: the grammar of RFC 9112, and Python's own server as the oracle."""

from __future__ import annotations

from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from time import process_time
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.base import ENDLESS, Reading, Reads, State
from middlebox.dissect.http import DISSECTOR, MAX_EMPTY_LINES, MAX_HEAD, MAX_LINES, MAX_METHOD, HttpRequest

#: what curl 7.88.1 sends
CURL = (
    b"GET /a?b=c HTTP/1.1\r\nHost: blocked.example:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nX-Empty:\r\n\r\n"
)


def read(data: bytes) -> Reading:
    return DISSECTOR.read(data, "tcp", Reads())


def fact(data: bytes) -> HttpRequest:
    answer = read(data)
    assert answer.state is State.FOUND
    assert isinstance(answer.fact, HttpRequest)
    return answer.fact


def get(*lines: str, target: str = "/", method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


class _Wire:
    """A socket that keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


class _Server(BaseHTTPRequestHandler):
    """Python's server, as far as it reads a request's head."""

    def __init__(self, data: bytes) -> None:
        self.rfile = BytesIO(data)
        self.raw_requestline = self.rfile.readline()
        self.accepted = self.parse_request()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        pass


def test_every_field_of_a_recorded_request() -> None:
    request = fact(CURL)
    assert {field.name: field.get(request) for field in DISSECTOR.fields} == {
        "http.method": "GET",
        "http.host": "blocked.example",
        "http.target": "/a?b=c",
        "http.version": "1.1",
        "http.header": ("Host: blocked.example:8080", "User-Agent: curl/7.88.1", "Accept: */*", "X-Empty: "),
        "http.user_agent": "curl/7.88.1",
    }
    assert request.host_raw == "blocked.example:8080"
    assert request.length == read(CURL).consumed == len(CURL)


def test_absent_headers_are_absent() -> None:
    request = fact(b"GET / HTTP/1.0\r\n\r\n")
    assert (request.host, request.user_agent, request.headers, request.version) == (None, None, (), "1.0")


def test_a_request_of_pythons_client_is_read_with_its_body() -> None:
    wire = _Wire()
    connection = HTTPConnection("Blocked.example")
    connection.sock = wire
    connection.request("POST", "/form", body=b"a=b&c=d", headers={"User-Agent": "tester"})
    answer = read(wire.sent)
    request = cast(HttpRequest, answer.fact)
    assert (request.method, request.target, request.host) == ("POST", "/form", "blocked.example")
    assert answer.consumed == len(wire.sent)


_token = st.text("!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz", min_size=1, max_size=12)
_visible = st.text([chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=30)
_value = st.text([chr(code) for code in range(0x20, 0x7F)], max_size=30).map(str.strip)


@settings(deadline=None, max_examples=150)
@given(_token, _visible, st.lists(st.tuples(_token, _value), max_size=8))
def test_a_well_formed_request_reads_as_pythons_server_reads_it(
    method: str, target: str, headers: list[tuple[str, str]]
) -> None:
    data = get(*(f"{name}: {value}" for name, value in headers), target=target, method=method)
    server = _Server(data)
    request = fact(data)
    assert server.accepted
    assert request.method == server.command
    # Python's server folds the slashes of a target that begins with two, against open redirects
    assert request.target == (target if target.startswith("//") else server.path)
    assert list(request.headers) == server.headers.items()
    assert request.length == len(data)


def test_every_beginning_of_a_request_needs_one_byte_more() -> None:
    for data in (CURL, b"\r\n\n" + CURL, CURL.replace(b"\r\n", b"\n"), get("A: b\r\n c", "Host: x")):
        assert read(data).state is State.FOUND
        for have in range(len(data)):
            answer = read(data[:have])
            assert (answer.state, answer.need) == (State.NEED_MORE, have + 1), data[:have]


@pytest.mark.parametrize(
    ("mine", "foreign"),
    [
        (b"", b"\x16"),  # TLS
        (b"", b"\x00"),
        (b"", b" "),
        (b"HTTP", b"/"),  # a response
        (b"SSH-2.0-OpenSSH_9.2p1", b"\r"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2", b"\r"),
        (b"EHLO mail.example", b"\r"),
        (b"PRI * HTTP/", b"2"),  # the preface of HTTP/2
        (b"GET /", b"\r"),  # HTTP/0.9
        (b"GET ", b" "),  # two spaces
        (b"GET /a ", b"b"),  # a space in the target
        (b"GET / HTTP/1.", b"x"),
        (b"GET / HTTP/1.1", b"1"),
        (b"GET / HTTP/1.1", b" "),
        (b"GET / HTTP/1.1\r", b"H"),  # CR alone
        (b"GET / HTTP/1.1\r\n", b" "),  # a fold without a line before it
        (b"GET / HTTP/1.1\r\n", b":"),
        (b"GET / HTTP/1.1\r\nHost", b" "),  # RFC 9112, 5.1: no space before the colon
        (b"GET / HTTP/1.1\r\nHost", b"\r"),
        (b"GET / HTTP/1.1\r\nHost: a", b"\x00"),
        (b"GET / HTTP/1.1\r\nHost: a\r", b"b"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r", b"b"),
        (b"\r", b"x"),
    ],
)
def test_foreign_bytes_are_known_at_the_first_of_them(mine: bytes, foreign: bytes) -> None:
    assert read(mine).state is State.NEED_MORE
    assert read(mine + foreign).state is State.NOT_MINE
    assert read(mine + foreign + b" HTTP/1.1\r\nHost: x\r\n\r\n").state is State.NOT_MINE


def test_an_unknown_method_is_a_method_and_letters_keep_their_case() -> None:
    assert fact(get(method="brew")).method == "brew"
    assert fact(get(method="M" * MAX_METHOD)).method == "M" * MAX_METHOD
    assert read(b"M" * (MAX_METHOD + 1)).state is State.NOT_MINE


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Blocked.EXAMPLE", "blocked.example"),
        ("blocked.example.", "blocked.example"),
        ("blocked.example:80", "blocked.example"),
        ("blocked.example.:80", "blocked.example"),
        ("blocked.example:", "blocked.example"),
        ("[2001:DB8::1]:8080", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("user@blocked.example", "blocked.example"),
        ("Blocked.example:http", "blocked.example:http"),  # does not parse: stays whole
        ("a:b:c", "a:b:c"),
        ("B\xdcCHER.example", "b\xdccher.example"),  # a byte that is not ASCII stays as it is
        (":80", None),
        ("", None),
        (".", None),
    ],
)
def test_the_host_is_normalised_and_kept_raw(host: str, name: str | None) -> None:
    request = fact(get(f"Host: {host}"))
    assert request.host == name
    assert request.host_raw == host


@pytest.mark.parametrize(
    ("data", "host"),
    [
        (get("Host: other.example", target="http://Blocked.example:81/x"), "blocked.example"),
        (get(target="http://blocked.example"), "blocked.example"),
        (get(target="http://user:word@blocked.example?q"), "blocked.example"),
        (get("Host: other.example", target="blocked.example:443", method="CONNECT"), "blocked.example"),
        (get("Host: blocked.example", target="*", method="OPTIONS"), "blocked.example"),
        (get("Host: blocked.example", target="/http://other.example/"), "blocked.example"),
        (get("hOST:blocked.example", "Host: other.example"), "blocked.example"),
    ],
)
def test_the_targets_authority_outranks_the_first_host_header(data: bytes, host: str) -> None:
    assert fact(data).host == host


def test_space_around_a_value_goes_and_folded_lines_are_joined() -> None:
    request = fact(b"GET / HTTP/1.1\nA: \t b \t\r\nFolded: one\r\n\ttwo  \n   three\r\nEmpty:\r\n later\r\n\r\n")
    assert request.headers == (("A", "b"), ("Folded", "one two three"), ("Empty", "later"))


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ((), 0),
        (("Content-Length: 11",), 11),
        (("content-length: 0011",), 11),
        (("Content-Length: 0",), 0),
        (("Content-Length: 11", "Content-Length: 11"), 11),
        (("Content-Length: 11", "Content-Length: 12"), None),
        (("Content-Length: -1",), None),
        (("Content-Length:",), None),
        (("Content-Length: 1" + "0" * 30,), None),
        (("Content-Length: \xb2",), None),
        (("Transfer-Encoding: chunked",), None),
        (("Content-Length: 11", "Transfer-Encoding: chunked"), None),
    ],
)
def test_the_body_is_skipped_or_hides_all_that_follows(lines: tuple[str, ...], body: int | None) -> None:
    head = get(*lines, method="POST")
    answer = read(head)
    assert answer.state is State.FOUND
    assert answer.consumed == (ENDLESS if body is None else len(head) + body)
    assert answer == read(head + b"x" * 40)


def test_after_connect_all_is_hidden() -> None:
    assert read(get(target="blocked.example:443", method="CONNECT")).consumed == ENDLESS


def test_pipelined_requests_are_found_one_after_the_other() -> None:
    data = get("Host: a", "Content-Length: 3", method="POST") + b"abc" + b"\r\n" + get("Host: b") + get("Host: c")
    hosts = []
    while data:
        answer = read(data)
        hosts.append(cast(HttpRequest, answer.fact).host)
        data = data[answer.consumed :]
    assert hosts == ["a", "b", "c"]


def test_the_bounds_hold_exactly() -> None:
    room = MAX_HEAD - len(get("A: "))
    assert fact(get("A: " + "x" * room)).length == MAX_HEAD
    assert read(get("A: " + "x" * (room + 1))).state is State.NOT_MINE
    assert read(get("A: " + "x" * (room + 1))[:-4]).state is State.NEED_MORE
    assert read(b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD).state is State.NOT_MINE
    assert read(b"GET /" + b"x" * MAX_HEAD).state is State.NOT_MINE
    assert len(fact(get(*["A: b"] * MAX_LINES)).headers) == MAX_LINES
    assert read(get(*["A: b"] * (MAX_LINES + 1))).state is State.NOT_MINE
    assert read(get("A: b", *[" c"] * MAX_LINES)).state is State.NOT_MINE
    assert read(b"\r\n" * MAX_EMPTY_LINES + CURL).state is State.FOUND
    assert read(b"\r\n" * (MAX_EMPTY_LINES + 1) + CURL).state is State.NOT_MINE


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_mutation_raises_and_each_answer_holds_for_longer_bytes(data: st.DataObject) -> None:
    seeds = (CURL, get("Host: a", "Content-Length: 3", method="POST") + b"abc", get("A: b\r\n c", "Host: x"))
    broken = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken)))
        broken[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.one_of(st.binary(max_size=2), st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b":", b"\t", b"\x00"]))
        )
    sent = bytes(broken)
    whole = read(sent)
    for have in range(len(sent)):
        answer = read(sent[:have])
        if answer.state is State.NEED_MORE:
            assert answer.need == have + 1
        else:
            assert answer == whole
    if isinstance(whole.fact, HttpRequest):
        for field in DISSECTOR.fields:
            field.get(whole.fact)


@pytest.mark.parametrize(
    "flood",
    [
        b"GET / HTTP/1.1\r\nA:" + b" " * 16_000 + b"\x00",
        b"GET / HTTP/1.1\r\nA: b\r\n" + b" \t" * 8_000 + b"\x00",
        b"GET / HTTP/1.1\r\n" + b"a" * 16_000 + b"\x00",
        b"GET http://" + b":" * 16_000,
        b"GET / HTTP/1.1\r\n" + b"A:\n" * 5_000,
    ],
)
def test_no_bytes_make_it_slow(flood: bytes) -> None:
    began = process_time()
    for _ in range(10):
        read(flood)
    assert process_time() - began < 0.1


def test_no_host_makes_the_field_slow() -> None:
    request = fact(get("Host: " + "[" * 8_000 + ":" * 8_000))
    began = process_time()
    assert request.host is not None
    assert process_time() - began < 0.05
