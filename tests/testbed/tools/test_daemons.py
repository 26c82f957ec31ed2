"""Programs in the background: what they said, whether they run, and that they end with all their children."""

from __future__ import annotations

import signal

import pytest

from testbed import failure
from testbed.lab import Lab
from testbed.tool import ToolError
from testbed.tools.daemons import Daemon, why
from tests.testbed.tools.living import comes_within, left
from tests.testbed.tools.pretended import Pretended, Started


def test_a_program_that_cannot_be_started_is_named() -> None:
    host = Pretended(started=Started(error="unshare: command not found", status=127))
    with pytest.raises(ToolError, match="ocserv could not be started on client: unshare: command not found"):
        Daemon(host, ["/usr/sbin/ocserv"])


def test_what_it_says_is_kept_after_its_end() -> None:
    host = Pretended(says="one\ntwo\n")
    daemon = Daemon(host, ["sshd"])
    assert (daemon.pid, daemon.alive(), daemon.last_words()) == (7, True, "one\ntwo")
    daemon.stop()
    daemon.stop()
    assert host.started.signals == [signal.SIGTERM]
    assert not daemon.alive()
    assert daemon.log() == "one\ntwo\n"


def test_one_that_ends_or_takes_too_long_before_it_is_ready_is_an_error_with_its_last_words() -> None:
    daemon = Daemon(Pretended(says="bad option"), ["openvpn"])
    with pytest.raises(ToolError, match=r"openvpn was not ready within 0 s; it last said: bad option"):
        daemon.await_words("ready", 0)
    daemon.stop()
    with pytest.raises(ToolError, match=r"openvpn ended before it was ready: bad option"):
        daemon.await_words("ready", 5)


def test_the_last_thing_that_a_log_names_is_the_reason() -> None:
    words = {"negotiation failed": failure.TIMEOUT, "restarting": failure.RESET}
    assert why("restarting\nnegotiation failed", words, failure.EOF) == failure.TIMEOUT
    assert why("negotiation failed\nrestarting", words, failure.EOF) == failure.RESET
    assert why("connect: Connection refused", words, failure.EOF) == failure.REFUSED
    assert why("hello", words, failure.EOF) == failure.EOF


@pytest.mark.lab
def test_children_that_have_left_every_group_end_with_it(abroad: Lab) -> None:
    host = abroad.client
    before = left(host)
    for end in ("stop", "kill"):
        daemon = Daemon(host, ["sh", "-c", "setsid sleep 1000 & setsid sleep 1001 & echo ready; wait"])
        daemon.await_words("ready", 10)
        assert comes_within(lambda: sum("sleep 100" in line for line in left(host)) >= 2)
        if end == "kill":
            host.run(["kill", "-9", str(daemon.pid)])
        daemon.stop()
        assert comes_within(lambda: left(host) == before)
