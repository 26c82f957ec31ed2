"""Messages and open files between two processes."""

from __future__ import annotations

import os
import socket

import pytest

from testbed.emulate.channel import MAX_MESSAGE, Channel


def pair() -> tuple[Channel, Channel]:
    a, b = socket.socketpair()
    return Channel(a), Channel(b)


def test_a_message_arrives_as_it_was_sent() -> None:
    a, b = pair()
    a.send({"text": "grün", "list": [1, 2.5, None]})
    a.send({"second": True})
    assert b.receive() == ({"text": "grün", "list": [1, 2.5, None]}, [])
    assert b.receive() == ({"second": True}, [])
    a.close()
    assert b.receive() is None
    b.close()


def test_open_files_travel_with_their_message() -> None:
    a, b = pair()
    read, write = os.pipe()
    a.send({}, [write])
    os.close(write)
    got = b.receive()
    assert got is not None
    (file,) = got[1]
    assert not os.get_inheritable(file)
    os.write(file, b"through")
    os.close(file)
    assert os.read(read, 100) == b"through"
    os.close(read)
    a.close()
    b.close()


def test_a_message_that_is_too_long_is_refused() -> None:
    a, b = pair()
    a.socket.sendall((MAX_MESSAGE + 1).to_bytes(4, "big"))
    with pytest.raises(ValueError, match="bytes"):
        b.receive()
    a.close()
    b.close()


def test_half_a_message_is_an_end() -> None:
    a, b = pair()
    a.socket.sendall(b"\0\0\0\x10{")
    a.close()
    assert b.receive() is None
    b.close()
