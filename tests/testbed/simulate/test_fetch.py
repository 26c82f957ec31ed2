"""Fetches: what each step takes, and how failures are called."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from testbed import failure
from testbed.simulate.fetch import named
from testbed.simulate.laboratory import SimulatedLab


def test_steps_take_their_round_trips() -> None:
    lab = SimulatedLab()
    (done,) = lab.run(lab.browser.fetch("innocent.example"))
    rtt = 2 * lab.topology.delay("client", "web")
    steps = [done.looked_up_s, done.connected_s, done.secured_s, done.first_byte_s]
    assert [round(step / rtt, 1) for step in steps] == [1.0, 2.0, 3.0, 4.0]
    assert done.seconds == done.first_byte_s


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TimeoutError("timed out"), failure.TIMEOUT),
        (ConnectionResetError("connection reset by peer"), failure.RESET),
        (BrokenPipeError("broken pipe"), failure.RESET),
        (ConnectionRefusedError("connection refused"), failure.REFUSED),
        (OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), failure.HOST_UNREACHABLE),
        (OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)), failure.NETWORK_UNREACHABLE),
        (EOFError("the answer ended"), failure.EOF),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), failure.EOF),
        (ssl.SSLError(1, "wrong version number"), failure.SSL_FAILED),
        (ValueError("strange"), "unknown_failure: strange"),
    ],
)
def test_failures_have_oonis_names(error: Exception, name: str) -> None:
    assert named(error) == name
    assert failure.is_failure(name)


def test_a_limit_holds_for_all_steps_together() -> None:
    lab = SimulatedLab("sni-drop")
    (done,) = lab.run(lab.browser.fetch("blocked.example", limit_s=3.0))
    assert (done.failure, done.seconds) == (failure.TIMEOUT, 3.0)
    assert done.connected_s is not None
    assert done.secured_s is None


def test_a_name_that_is_not_there_is_no_connection() -> None:
    lab = SimulatedLab()
    (done,) = lab.run(lab.browser.fetch("nobody.example"))
    assert (done.failure, done.connected_s) == (failure.DNS_NXDOMAIN, None)


def test_a_browser_gets_the_page_too() -> None:
    lab = SimulatedLab()
    (done,) = lab.run(lab.browser.fetch("innocent.example", hello="chrome131"))
    assert (done.failure, done.status) == ("", 200)
    assert b"innocent.example" in done.body
