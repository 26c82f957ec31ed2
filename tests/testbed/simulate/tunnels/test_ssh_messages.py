"""Messages inside a connection: they come whole whatever the pieces, and nothing that was changed is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlebox.dissect.base import Reads, State
from middlebox.dissect.ssh import DISSECTOR
from testbed.simulate.tunnels.shape import DOWN, UP
from testbed.simulate.tunnels.ssh_messages import DATA, LINE, Messages

_said = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.binary(max_size=300)), max_size=5)


@given(_said, st.integers(1, 97))
def test_messages_come_whole_whatever_the_pieces(said: list[tuple[int, int, bytes]], piece: int) -> None:
    one, other = Messages(b"key", UP), Messages(b"key", UP)
    data = b"".join(one.seal(*message) for message in said)
    got = [found for at in range(0, len(data), piece) for found in other.open(data[at : at + piece])]
    assert got == said


def test_what_was_changed_or_came_the_other_way_is_refused() -> None:
    sealed = Messages(b"key", UP).seal(DATA, 1, b"content")
    with pytest.raises(ConnectionResetError):
        Messages(b"key", UP).open(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    # the length is hidden by a mask of its own direction, so that it says something else there
    assert Messages(b"key", DOWN).open(sealed) == []


def test_the_line_is_one_that_a_box_reads() -> None:
    assert DISSECTOR.read(LINE, "tcp", Reads()).state is State.FOUND
