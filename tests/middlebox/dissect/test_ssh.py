"""SSH's first line: recorded, and the grammar of RFC 4253, 4.2."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlebox.dissect.base import Reading, Reads, State
from middlebox.dissect.ssh import DISSECTOR, MAX_LINE, SshBanner
from tests.middlebox.dissect.captured import DOWN, UP, facts

LINE = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"


def read(data: bytes) -> Reading:
    return DISSECTOR.read(data, "tcp", Reads())


def fact(data: bytes) -> SshBanner:
    answer = read(data)
    assert answer.state is State.FOUND
    return cast(SshBanner, answer.fact)


def test_every_field_of_a_line() -> None:
    assert {field.name: field.get(fact(LINE)) for field in DISSECTOR.fields} == {
        "ssh.banner": "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
        "ssh.software": "OpenSSH_9.2p1",
        "ssh.version": "2.0",
    }
    assert read(LINE + b"\0\0\x06\x14").consumed == len(LINE)


def test_both_ends_of_a_recorded_connection_are_read() -> None:
    for ways, lines in ((frozenset({UP}), 1), (frozenset({DOWN}), 1), (frozenset({UP, DOWN}), 2)):
        seen = cast(list[SshBanner], facts("ssh", ways))
        assert [one.software for one in seen] == ["OpenSSH_9.2p1"] * lines


@pytest.mark.parametrize(
    ("line", "version", "software"),
    [
        (b"SSH-2.0-Go\r\n", "2.0", "Go"),
        (b"SSH-1.99-Cisco-1.25\n", "1.99", "Cisco-1.25"),
        (b"SSH-2.0-libssh2_1.10.0\r\n", "2.0", "libssh2_1.10.0"),
        (b"SSH-2.0-x \r\n", "2.0", "x"),
    ],
)
def test_lines_of_others(line: bytes, version: str, software: str) -> None:
    assert (fact(line).version, fact(line).software) == (version, software)


def test_each_beginning_asks_for_more_and_no_longer_than_needed() -> None:
    for have in range(len(LINE)):
        answer = read(LINE[:have])
        assert (answer.state, answer.need) == (State.NEED_MORE, have + 1)


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"SSX",
        b"SSH_",
        b"SSH-2.0x",
        b"SSH-2.0-\r\n",
        b"SSH-2.0- x\r\n",
        b"SSH-two-x\r\n",
        b"SSH-2.0-a\x00b\r\n",
        b"SSH-2.0-" + b"x" * MAX_LINE,
        b"Welcome\r\n" + LINE,
    ],
)
def test_what_breaks_the_grammar_is_foreign(data: bytes) -> None:
    assert read(data).state is State.NOT_MINE


def test_the_longest_line() -> None:
    longest = b"SSH-2.0-" + b"x" * (MAX_LINE - 10) + b"\r\n"
    assert len(longest) == MAX_LINE
    assert read(longest).state is State.FOUND
    assert read(longest[:8] + b"x" + longest[8:]).state is State.NOT_MINE


@given(
    st.binary(max_size=40)
    | st.builds(lambda a, b: a + b, st.sampled_from([LINE[:n] for n in range(12)]), st.binary(max_size=30))
)
def test_an_answer_holds_for_longer_bytes(data: bytes) -> None:
    answers = [read(data[:have]).state for have in range(len(data) + 1)]
    settled = next((at for at, state in enumerate(answers) if state is not State.NEED_MORE), len(answers))
    assert len(set(answers[settled:])) <= 1
