"""A worker's process: asked and answered, watched, and named when it is gone."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from middlebox.drivers.attach import AttachError
from middlebox.drivers.hand import Hand, WorkerError


def _talk(asked: int, watched: int) -> int:
    """A worker that answers each line with its length, tells each as a decision, and ends when nobody asks."""
    with socket.socket(fileno=asked) as asking, socket.socket(fileno=watched) as watching:
        asking.sendall(b'{"ready": true}\n')
        lines = asking.makefile("rb")
        for line in lines:
            if b"fail" in line:
                asking.sendall(b'{"error": "no such thing"}\n')
            elif b"leave" in line:
                return 7
            else:
                watching.sendall(b"decision\n")
                asking.sendall(b'{"length": %d}\n' % len(line))
    return 0


@pytest.fixture
def start() -> Iterator[Callable[[Callable[[int, int], int]], Hand]]:
    with ExitStack() as stack:

        def made(be: Callable[[int, int], int]) -> Hand:
            hand = Hand(3, be)
            stack.callback(hand.end)
            stack.callback(hand.close)
            return hand

        yield made


Start = Callable[[Callable[[int, int], int]], Hand]


def test_it_answers_and_tells_and_ends_when_nobody_asks(start: Start) -> None:
    hand = start(_talk)
    hand.wait_ready()
    hand.ask({"do": "x"})
    assert hand.heard() == {"length": 12}
    assert hand.decisions() == [b"decision\n"]
    hand.ask({"do": "fail"})
    assert hand.heard() == {"error": "no such thing"}
    hand.close()
    hand.wait_done()


def test_one_that_cannot_start_says_why(start: Start) -> None:
    def be(asked: int, watched: int) -> int:
        os.write(asked, b'{"error": "queue 2 cannot be opened"}\n')
        return 2

    with pytest.raises(AttachError, match="queue 2 cannot be opened"):
        start(be).wait_ready()
    with pytest.raises(AttachError, match=r"it did not start: worker 3 \(process \d+\) ended with status 3"):
        start(lambda asked, watched: 3).wait_ready()


def test_one_that_is_gone_is_named_with_what_ended_it(start: Start) -> None:
    hand = start(_talk)
    hand.wait_ready()
    os.kill(hand.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match=r"worker 3 \(process \d+\) was ended by signal 9 \(SIGKILL\)"):
        hand.heard()
    other = start(_talk)
    other.wait_ready()
    other.ask({"do": "leave"})
    with pytest.raises(WorkerError, match="ended with status 7"):
        other.heard()
    with pytest.raises(WorkerError, match="ended with status 7"):
        other.wait_done()


def test_one_that_does_not_end_by_itself_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("middlebox.drivers.hand._END_S", 0.05)

    def be(asked: int, watched: int) -> int:
        os.write(asked, b'{"ready": true}\n')
        time.sleep(60)
        return 0

    hand = start(be)
    hand.wait_ready()
    hand.close()
    hand.end()
    with pytest.raises(WorkerError, match="signal 9"):
        hand.wait_done()
