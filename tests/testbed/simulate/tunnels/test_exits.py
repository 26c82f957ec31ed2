"""Packets are translated with right checksums, answers find their tunnel, and what is not theirs is left alone."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from middlebox.checksum import ipv4_header_ok, transport_ok
from middlebox.forge import udp
from middlebox.packet import view
from testbed.simulate.tunnels.exits import Exits, translated
from tests.testbed.simulate.tunnels.made import lab_with

_addresses = st.binary(min_size=4, max_size=4)
_ports = st.integers(1, 65_535)


def packet(src: bytes, sport: int, dst: bytes, dport: int, payload: bytes) -> bytes:
    return udp(src=src, dst=dst, sport=sport, dport=dport, payload=payload, ttl=64, ip_id=7)


@given(_addresses, _ports, _addresses, _ports, st.binary(max_size=50), _addresses, _ports)
def test_checksums_stay_right_whatever_is_changed(
    src: bytes, sport: int, dst: bytes, dport: int, payload: bytes, other: bytes, port: int
) -> None:
    made = packet(src, sport, dst, dport, payload)
    for changed in (translated(made, src=other, sport=port), translated(made, dst=other, dport=port)):
        seen = view(changed)
        assert seen is not None
        assert ipv4_header_ok(seen)
        assert transport_ok(seen)
        assert seen.payload == payload
    seen = view(translated(made, src=other, sport=port))
    assert seen is not None
    assert (seen.src, seen.src_port, seen.dst, seen.dst_port) == (other, port, dst, dport)


def test_an_answer_goes_to_the_tunnel_that_asked() -> None:
    lab = lab_with()
    relay = lab.host("relay")
    exits = Exits.of(relay)
    assert Exits.of(relay) is exits
    got: dict[str, list[bytes]] = {"a": [], "b": []}
    web = IPv4Address(lab.host("web").ipv4).packed
    inside = bytes([10, 8, 0, 2])
    deliver = {name: got[name].append for name in got}
    own = IPv4Address(relay.ipv4).packed
    for name in got:
        exits.out(packet(inside, 5000, web, 9, name.encode()), own, deliver[name])
    assert relay.incoming is not None
    for name in got:
        port = exits._ports[(17, inside, 5000), deliver[name]]
        assert list(relay.incoming(packet(web, 9, own, port, b"back"))) == []
    for answers in got.values():
        (answer,) = answers
        seen = view(answer)
        assert seen is not None
        assert (seen.dst, seen.dst_port, seen.payload) == (inside, 5000, b"back")


def test_what_nobody_inside_asked_for_is_the_relays_own() -> None:
    lab = lab_with()
    relay = lab.host("relay")
    Exits.of(relay)
    stranger = packet(bytes([1, 2, 3, 4]), 9, IPv4Address(relay.ipv4).packed, 20_001, b"?")
    assert relay.incoming is not None
    assert list(relay.incoming(stranger)) == [stranger]
    assert list(relay.incoming(b"\x60" + bytes(60))) == [b"\x60" + bytes(60)]
