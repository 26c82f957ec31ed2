"""The wait for an answer that has come out at the relay: what comes from elsewhere does not count."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed import failure
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.tunnels.standing import await_exit
from testbed.tool import NotUp
from tests.testbed.simulate.tunnels.made import lab_with


def test_an_answer_to_the_subscribers_own_address_is_not_the_tools_working() -> None:
    lab = lab_with()
    begin_s = lab.clock.now_ns / SECOND_NS
    seconds: list[float] = []

    def person() -> Generator[Event, Any, None]:
        seconds.append((yield from await_exit("direct", lab, lab.client, lab.client.ipv4, 3.0, begin_s)))
        with pytest.raises(NotUp) as found:
            yield from await_exit("past", lab, lab.client, "198.51.100.201", 1.0, lab.clock.now_ns / SECOND_NS)
        assert (found.value.failure, found.value.seconds) == (failure.TIMEOUT, 1.0)

    lab.run(person())
    assert 0.02 < seconds[0] < 0.2


def test_a_client_that_has_given_up_is_not_waited_for() -> None:
    lab = lab_with()

    def person() -> Generator[Event, Any, None]:
        with pytest.raises(NotUp) as found:
            yield from await_exit(
                "gone", lab, lab.client, "198.51.100.201", 9.0, lab.clock.now_ns / SECOND_NS,
                ended=lambda: failure.RESET,
            )  # fmt: skip
        assert (found.value.failure, found.value.seconds) == (failure.RESET, 0.0)

    lab.run(person())
