"""The simulated sites over HTTP/3: the pages that they have over HTTPS, and what is no QUIC of theirs."""

from __future__ import annotations

import pytest

from testbed.pages import OBJECTS, noise
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.web import HTTPS
from tests.testbed.simulate.quic.asking import ask


@pytest.mark.parametrize("family", [4, 6])
def test_pages_are_those_of_https(family: int) -> None:
    for path in ("/", "/page", "/where", "/object/10k", "/nothing"):
        lab = SimulatedLab(topology="small")
        (over_tcp,) = lab.run(lab.browser.fetch("innocent.example", path, family=family))
        over_quic = ask(lab, path=path, family=family)
        assert (over_quic.status, over_quic.body) == (over_tcp.status, over_tcp.body)
        assert over_quic.fields.get("x-from") == over_tcp.fields.get("x-from")
    assert over_quic.status == 404


def test_a_large_object_comes_whole() -> None:
    lab = SimulatedLab(topology="small")
    done = ask(lab, path="/object/1M", limit_s=60)
    assert done.body == noise()[: OBJECTS["1M"]]


def test_what_is_no_quic_is_not_answered_and_other_versions_are_told_ours() -> None:
    lab = SimulatedLab(topology="small")
    site = next(one for one in lab.sites if one.name == "innocent.example")
    socket = lab.client.datagrams()
    came: list[bytes] = []
    socket.heard = lambda data, _: came.append(data)
    foreign = b"\xc0\x0a\x0a\x0a\x0a\x08" + b"d" * 8 + b"\x08" + b"s" * 8 + bytes(1_200)
    for data in (b"", b"\x40" + bytes(40), bytes(1_300), foreign):
        socket.send(data, (site.ipv4, HTTPS))
    lab.clock.run_for(1.0)
    (negotiation,) = came
    assert negotiation[0] & 0x80
    assert negotiation[1:5] == bytes(4)  # RFC 9000, 17.2.1
    assert b"\x00\x00\x00\x01" in negotiation[5:]
