"""The control socket: requests, answers, watchers, and clients that misbehave."""

from __future__ import annotations

import json
import select
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from middlebox.drivers.control import MAX_BEHIND, MAX_REQUEST, Control, Message


def _answer(request: Message) -> Message:
    if request.get("do") == "fail":
        raise ValueError("no such thing")
    return {"you said": request.get("do")}


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    made = Control(str(tmp_path / "socket"), _answer)
    yield made
    made.close()


def _serve(control: Control) -> None:
    """Serve until nothing is ready."""
    while True:
        readable, writable, _ = select.select(control.readers(), control.writers(), [], 0)
        if not readable and not writable:
            return
        for ready in [*readable, *writable]:
            control.serve(ready)


def _client(control: Control, path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(str(path / "socket"))
    _serve(control)
    return client


def _say(control: Control, client: socket.socket, said: bytes) -> list[Message]:
    client.sendall(said)
    _serve(control)
    return [json.loads(line) for line in client.recv(1 << 16).splitlines()]


def test_each_line_gets_one_line_back(control: Control, tmp_path: Path) -> None:
    with _client(control, tmp_path) as client:
        assert _say(control, client, b'{"do": "a"}\n{"do": "b"}\n') == [{"you said": "a"}, {"you said": "b"}]


def test_a_request_may_come_in_pieces(control: Control, tmp_path: Path) -> None:
    with _client(control, tmp_path) as client:
        client.sendall(b'{"do": ')
        _serve(control)
        assert _say(control, client, b'"late"}\n') == [{"you said": "late"}]


@pytest.mark.parametrize("said", [b"{", b"[]", b"\xff", b'{"do": "fail"}', b"[" * 60_000])
def test_nonsense_gets_an_error_and_the_connection_goes_on(control: Control, tmp_path: Path, said: bytes) -> None:
    with _client(control, tmp_path) as client:
        (answer,) = _say(control, client, said + b"\n")
        assert list(answer) == ["error"]
        assert _say(control, client, b'{"do": "on"}\n') == [{"you said": "on"}]


def test_an_endless_request_ends_the_connection(control: Control, tmp_path: Path) -> None:
    with _client(control, tmp_path) as client:
        for _ in range(3):
            client.sendall(b"x" * (MAX_REQUEST // 2))
            _serve(control)
        assert b"error" in client.recv(4096)
        assert client.recv(4096) == b""
        assert len(control.readers()) == 1  # the listener alone


def test_watchers_get_every_line_and_others_none(control: Control, tmp_path: Path) -> None:
    with _client(control, tmp_path) as watcher, _client(control, tmp_path) as other:
        assert not control.watched
        assert _say(control, watcher, b'{"do": "watch"}\n') == [{"watching": True}]
        assert control.watched
        control.publish(b'{"packet": 1}\n')
        assert watcher.recv(4096) == b'{"packet": 1}\n'
        assert _say(control, other, b'{"do": "x"}\n') == [{"you said": "x"}]


def test_a_watcher_that_does_not_read_is_dropped_and_never_blocks(control: Control, tmp_path: Path) -> None:
    with _client(control, tmp_path) as watcher:
        _say(control, watcher, b'{"do": "watch"}\n')
        line = b"y" * 999 + b"\n"
        for _ in range(4 * MAX_BEHIND // len(line)):
            control.publish(line)
        assert control.dropped == 1
        assert not control.watched


def test_a_client_that_goes_away_is_forgotten(control: Control, tmp_path: Path) -> None:
    _client(control, tmp_path).close()
    _serve(control)
    assert len(control.readers()) == 1


def test_a_client_that_stops_sending_still_gets_its_answer(control: Control, tmp_path: Path) -> None:
    with _client(control, tmp_path) as client:
        client.sendall(b'{"do": "last"}\n')
        client.shutdown(socket.SHUT_WR)
        _serve(control)
        assert json.loads(client.makefile("rb").read()) == {"you said": "last"}


def test_the_socket_is_for_its_owner_and_goes_with_the_box(tmp_path: Path) -> None:
    control = Control(str(tmp_path / "socket"), _answer)
    assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o600
    control.close()
    assert list(tmp_path.iterdir()) == []


def test_an_inherited_connection_is_a_client() -> None:
    ours, theirs = socket.socketpair()
    control = Control(str(theirs.detach()), _answer)
    assert _say(control, ours, b'{"do": "hi"}\n') == [{"you said": "hi"}]
    control.close()
    ours.close()


def test_an_inherited_listener_accepts_clients(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    control = Control(str(listener.detach()), _answer)
    with _client(control, tmp_path) as client:
        assert _say(control, client, b'{"do": "hi"}\n') == [{"you said": "hi"}]
    control.close()


def test_of_several_inherited_sockets_each_is_a_client_and_without_them_it_is_deserted() -> None:
    ours, theirs = zip(*(socket.socketpair() for _ in range(2)), strict=True)
    control = Control(",".join(str(end.detach()) for end in theirs), _answer)
    for end in ours:
        end.sendall(b'{"do": "ping"}\n')
    _serve(control)
    assert [json.loads(end.recv(100)) for end in ours] == [{"you said": "ping"}] * 2
    ours[0].close()
    _serve(control)
    assert not control.deserted
    ours[1].close()
    _serve(control)
    assert control.deserted
    control.close()


def test_one_that_others_can_come_to_is_not_deserted(control: Control) -> None:
    assert not control.deserted
