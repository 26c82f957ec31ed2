"""Shipped policies on VPNs, against recorded VPNs and ordinary traffic."""

from __future__ import annotations

import random
from functools import cache
from struct import pack

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

from middlebox.load import load
from tests.middlebox.dialogue import Connection, Play, dropped, get, hello, passed
from tests.middlebox.dissect.captured import CLIENT, WHOSE, packets
from tests.middlebox.dissect.ordinary import datagrams, payloads

#: a registered server in vpn-allow-list, and that of the captures
SERVER = "203.0.113.5"
#: the rule of vpn-handshake-block that strikes each capture
STRUCK_BY = {"dtls": "dtls", "ikev2": "ikev2", "encrypted": "fully-encrypted", "ssh": "ssh", "wireguard": "wireguard"}


def rule_for(name: str) -> str:
    if WHOSE[name] == "openvpn":
        return "openvpn-tcp" if "tcp" in name else "openvpn-udp"
    return STRUCK_BY[WHOSE[name]]


@cache
def between(name: str, client: str = CLIENT, server: str = SERVER) -> tuple[bytes, ...]:
    """A capture's packets, between other addresses."""
    moved = []
    for raw in packets(name):
        packet = IP(raw)
        names = {CLIENT: client, SERVER: server}
        packet.src, packet.dst = names[packet.src], names[packet.dst]
        del packet.chksum
        del packet[TCP if TCP in packet else UDP].chksum
        moved.append(bytes(packet))
    return tuple(moved)


def verdicts(policy: str, name: str, client: str = CLIENT, server: str = SERVER) -> str:
    """What becomes of a capture's packets: "." passed, "x" dropped."""
    play = Play(load(policy))
    return "".join("x" if dropped(play.give(one)) else "." for one in between(name, client, server))


def data_before(name: str, place: int, opcode: int) -> int:
    """Data messages among the packets before this place."""
    return sum(bytes(IP(raw)[UDP].payload)[0] == opcode for raw in packets(name)[:place])


@pytest.mark.parametrize(("name", "opcode", "allowed"), [("wireguard", 4, 2), ("openvpn-udp", 0x48, 15)])
def test_russia_lets_a_tunnel_shake_hands_and_cuts_it_after_a_few_data_packets(
    name: str, opcode: int, allowed: int
) -> None:
    """V27."""
    seen = verdicts("ru-vpn", name)
    first = seen.index("x")
    assert data_before(name, first, opcode) == allowed
    assert bytes(IP(packets(name)[first])[UDP].payload)[0] == opcode
    assert set(seen[first:]) == {"x"}, "and all that follows, both ways"
    assert "x" not in verdicts("ru-vpn", name, client="198.51.100.7", server="10.0.0.7"), "not from outside"


@pytest.mark.parametrize("name", sorted(set(WHOSE) - {"wireguard", "openvpn-udp"}))
def test_russia_spares_other_protocols_and_short_tunnels(name: str) -> None:
    assert "x" not in verdicts("ru-vpn", name)


def test_russia_keeps_a_cut_tunnel_cut_for_new_handshakes_of_the_same_ports() -> None:
    play = Play(load("ru-vpn"))
    for one in between("wireguard"):
        play.give(one)
    assert dropped(play.give(between("wireguard")[0]))
    play.wait(601)
    assert passed(play.give(between("wireguard")[0]))


RANDOM = random.Random(5).randbytes(200)


@cache
def frames() -> tuple[bytes, ...]:
    """A connection's packets up to the header of the first payload, between the addresses of `Connection`."""
    flow = Connection(Play(load("gfw-fet")))
    syn = flow.to_server(flags="S")
    flow.seq += 1
    answer = flow.to_client(flags="SA")
    flow.peer += 1
    return tuple(bytes(one) for one in (syn, answer, flow.to_server(flags="A"), flow.to_server()))


def struck(play: Play, number: int, payload: bytes = RANDOM) -> str:
    """The rule that drops the first payload of a connection to a server of its own."""
    server = bytes((203, 0, 113 + (number >> 8), number & 255))  # no box here looks at checksums
    *opening, header = frames()
    carrying = header[:2] + (len(header) + len(payload)).to_bytes(2, "big") + header[4:] + payload
    for raw in (*opening, carrying):
        up = raw[19] == 5  # the last byte of the destination
        decision = play.give(raw[:16] + server + raw[20:] if up else raw[:12] + server + raw[16:])
    return decision.rule if dropped(decision) else ""


def test_about_one_fully_encrypted_connection_in_four_is_struck() -> None:
    """V20: 26.3 % within 3 points, and 1 - 0.737**k within k connections."""
    play = Play(load("gfw-fet"))
    fate = [bool(struck(play, number)) for number in range(6_000)]
    assert 0.233 <= sum(fate) / len(fate) <= 0.293
    for k, share in ((5, 0.78), (10, 0.95)):
        groups = [any(fate[at : at + k]) for at in range(0, len(fate), k)]
        assert abs(sum(groups) / len(groups) - share) < 0.03


def first_struck() -> tuple[Play, Connection]:
    """A connection that chance does not spare."""
    play = Play(load("gfw-fet"))
    for sport in range(40_000, 40_100):
        flow = play.connect(sport=sport, dport=8388)
        if dropped(flow.send(RANDOM)):
            return play, flow
    raise AssertionError("none of a hundred connections was struck")


def test_a_struck_connection_loses_what_the_client_sends_and_the_port_is_closed_for_three_minutes() -> None:
    play, flow = first_struck()
    assert dropped(flow.send(b"again"))
    assert passed(flow.answer(b"the server's")), "only what the client sends"
    assert dropped(Connection(play, sport=50_000, dport=8388).syn())
    assert passed(Connection(play, sport=50_001, dport=8389).syn()), "another port of the server"
    assert passed(Connection(play, sport=50_002, dport=8388, client="10.0.0.9").syn()), "another client"
    play.wait(181)
    assert passed(Connection(play, sport=50_003, dport=8388).syn())


@pytest.mark.parametrize(
    "payload", [hello(), get(), b"UUUUUU" + RANDOM, RANDOM[:60] + b"U" * 21 + RANDOM[:60], bytes(100)]
)
def test_what_is_exempt_is_never_struck(payload: bytes) -> None:
    play = Play(load("gfw-fet"))
    assert not any(struck(play, number, payload) for number in range(60))


def test_only_the_first_payload_counts_and_udp_never() -> None:
    play = Play(load("gfw-fet"))
    for number in range(60):
        flow = play.connect(server=f"203.0.113.{number}", sport=30_000 + number, dport=8388)
        assert passed(flow.send(get()))
        assert passed(flow.send(RANDOM))
        datagram = IP(src="10.0.0.1", dst=f"203.0.113.{number}") / UDP(sport=30_000, dport=8388) / Raw(RANDOM)
        assert passed(play.give(datagram))


@pytest.mark.parametrize("name", sorted(WHOSE))
def test_no_vpn_shakes_hands_past_the_box_that_blocks_handshakes(name: str) -> None:
    play = Play(load("vpn-handshake-block"))
    decisions = [play.give(one) for one in between(name)]
    carrying = [at for at, raw in enumerate(packets(name)) if UDP in IP(raw) or "P" in str(IP(raw)[TCP].flags)]
    first = carrying[2 if name == "dtls-fragments" else 0]  # of a hello in pieces the last one is dropped
    assert next(at for at, decision in enumerate(decisions) if dropped(decision)) == first
    assert {decision.rule for decision in decisions if dropped(decision)} == {rule_for(name)}


@pytest.mark.parametrize("name", sorted(WHOSE))
def test_registered_servers_alone_are_spared_by_the_allow_list(name: str) -> None:
    assert "x" not in verdicts("vpn-allow-list", name)
    elsewhere = verdicts("vpn-allow-list", name, server="203.0.113.99")
    assert elsewhere == verdicts("vpn-handshake-block", name, server="203.0.113.99")
    assert "x" in elsewhere


def test_a_handshake_over_udp_succeeds_as_soon_as_nobody_drops_it() -> None:
    """The rule strikes messages, not the flow, so that recovery can be measured."""
    play = Play(load("vpn-handshake-block"))
    first, second, *data = between("wireguard")
    assert dropped(play.give(first))
    assert dropped(play.give(second))
    assert all(passed(play.give(one)) for one in data), "data of a tunnel that is up are not touched"


def datagram(port: int, data: bytes, *, up: bool) -> bytes:
    """RFC 791 and RFC 768, without checksums, which no box here looks at."""
    ends = (bytes((10, 0, 0, 1)), bytes((198, 51, 100, 9)))
    ports = (port, 4_000)
    src, dst = ends if up else ends[::-1]
    head = pack(">BBHHHBBH", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0) + src + dst
    return head + pack(">HHHH", *(ports if up else ports[::-1]), 8 + len(data), 0) + data


@pytest.mark.parametrize("name", ["vpn-handshake-block", "ru-vpn"])
def test_no_ordinary_datagram_is_dropped(name: str) -> None:
    play = Play(load(name))
    for number, (protocol, data) in enumerate(datagrams()):
        if "known beginning" in protocol:
            continue
        for up in (True, False, True, False):
            assert passed(play.give(datagram(1_024 + number, data, up=up))), protocol


def test_of_ordinary_connections_only_those_are_dropped_that_the_published_rule_takes_for_encrypted() -> None:
    play = Play(load("vpn-handshake-block"))
    hit = {protocol: 0 for protocol, _ in payloads()}
    for number, (protocol, data) in enumerate(payloads()):
        rule = struck(play, number, data)
        assert rule in ("", "fully-encrypted")
        hit[protocol] += bool(rule)
    assert {protocol: count for protocol, count in hit.items() if count} == {"bittorrent": 10, "short frames": 11}
