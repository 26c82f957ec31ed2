"""A transfer in virtual time is judged as one in a lab: by its length, and by where it came out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from testbed.result import Outcome
from testbed.timeline.fetch import Fetched
from testbed.timeline.values import Transfer
from testbed.virtual.timeline.fetch import fetch
from tests.testbed.simulate.tunnels.made import SITE, connect, lab_with, serve

PHOTO = Transfer(name="photo", about="a photo", host=SITE, bytes=30_000, limit_s=5)


def test_directly_and_through_a_tunnel() -> None:
    lab = lab_with()
    used = serve(lab, "wireguard")
    address = next(one.ipv4 for one in lab.sites if one.name == SITE)
    got: list[Fetched] = []

    def person() -> Generator[Event, Any, None]:
        browser = lab.browser_of("client")
        got.append((yield from fetch(browser, PHOTO, address=address, limit_s=5.0)))
        yield from connect(lab, used)
        got.append((yield from fetch(browser, PHOTO, address=address, limit_s=5.0, tunnel=used.tunnel)))
        got.append((yield from fetch(browser, PHOTO, address="198.51.100.99", limit_s=1.0)))

    lab.run(person())
    assert [one.seen.outcome for one in got] == [Outcome.OK, Outcome.OK, Outcome.BLOCKED]
    assert [one.exit for one in got] == [lab.client.ipv4, "198.51.100.201", ""]
    assert got[0].seen.bytes == 30_000
    assert got[0].seen.goodput is not None
