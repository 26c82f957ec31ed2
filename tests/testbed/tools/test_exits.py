"""Where a request comes out: what is asked, and that only an address is taken for one."""

from __future__ import annotations

import pytest

from testbed import failure
from testbed.tool import Via
from testbed.tools.exits import SITE, Exit, ask, exit_address, went_through
from tests.testbed.tools.pretended import Pretended
from tests.testbed.workloads.on_this_machine import Ended

EXIT = Via(exit="198.51.100.201")


def test_a_tunnel_is_asked_from_its_inner_address_and_a_proxy_by_its_own_port() -> None:
    host = Pretended(Ended(stdout="198.51.100.201\n"))
    ask(host, Via(source="10.8.0.2"), 3)
    assert host.asked[0][-4:] == ["*", "--interface", "host!10.8.0.2", f"http://{SITE}/where"]
    ask(host, Via(proxy="socks5h://127.0.0.1:1080"), 3)
    assert host.asked[1][-3:] == ["--proxy", "socks5h://127.0.0.1:1080", f"http://{SITE}/where"]


@pytest.mark.parametrize(("said", "through"), [("198.51.100.201", True), ("10.0.0.1", False)])
def test_only_the_relays_address_counts_as_through(said: str, through: bool) -> None:
    host = Pretended(Ended(stdout=f"{said}\n"))
    assert exit_address(host, EXIT) == said
    assert went_through(host, EXIT) is through


def test_without_an_exit_address_nothing_is_checked() -> None:
    with pytest.raises(ValueError, match="no exit address"):
        went_through(Pretended(Ended(stdout="10.0.0.1\n")), Via())


@pytest.mark.parametrize(
    ("ended", "name"),
    [
        (Ended(status=28, stderr="curl: (28) Connection timed out"), failure.TIMEOUT),
        (Ended(timed_out=True), failure.TIMEOUT),
        (
            Ended(
                status=7,
                stderr="* connect to 127.0.0.1 port 1080 failed: Connection refused\ncurl: (7) Failed to connect",
            ),
            failure.REFUSED,
        ),
        (Ended(status=56, stderr="curl: (56) Recv failure: Connection reset by peer"), failure.RESET),
        (Ended(stdout="<html>"), "unknown_failure: /where answered '<html>', not an address"),
    ],
)
def test_what_is_no_answer_has_a_name(ended: Ended, name: str) -> None:
    assert ask(Pretended(ended), EXIT, 3) == Exit(failure=name)
    assert not went_through(Pretended(ended), EXIT)
