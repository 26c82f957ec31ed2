"""What the censor makes up, read by scapy, whose own checksums must agree."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6ParamProblem,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrRouting,
)
from scapy.packet import Packet, Raw

from middlebox import forge
from middlebox.forge import Unreachable
from middlebox.packet import ACK, FIN, PSH, RST, PacketView, view

A4, B4 = ip_address("203.0.113.5").packed, ip_address("10.0.0.1").packed
A6, B6 = ip_address("2001:db8::5").packed, ip_address("2001:db8::1").packed
PAIRS = pytest.mark.parametrize(("src", "dst"), [(A4, B4), (A6, B6)], ids=["v4", "v6"])


def read(raw: bytes) -> Packet:
    """The packet as scapy reads it, after scapy has made every length and checksum anew and found the same bytes."""
    packet = (IP if raw[0] >> 4 == 4 else IPv6)(raw)
    fresh = packet.copy()
    layer: Packet = fresh
    while not isinstance(layer, Raw) and layer.name != "NoPayload":
        for name in ("chksum", "cksum", "len", "plen"):
            if name in layer.fields and "in ICMP" not in str(layer.name):
                del layer.fields[name]
        layer = layer.payload
    assert bytes(fresh) == raw
    return packet


def seen(packet: Packet) -> PacketView:
    found = view(bytes(packet))
    assert found is not None
    return found


@PAIRS
def test_a_forged_segment_is_what_was_asked_for(src: bytes, dst: bytes) -> None:
    raw = forge.tcp(
        src=src,
        dst=dst,
        sport=443,
        dport=40000,
        seq=0xFFFFFFFE,
        ack=0x80000001,
        flags=RST | ACK,
        window=4711,
        payload=b"odd",
        ttl=57,
        ip_id=0xBEEF,
        tos=0x48,
        options=b"\x02\x04\x05\xb4\x01",
    )
    packet = read(raw)
    segment = packet[TCP]
    assert (segment.sport, segment.dport, segment.seq, segment.ack) == (443, 40000, 0xFFFFFFFE, 0x80000001)
    assert (segment.flags, segment.window, segment.dataofs) == ("RA", 4711, 7)
    assert segment.options[0] == ("MSS", 1460)
    assert bytes(segment.payload) == b"odd"
    if IP in packet:
        assert (packet.ttl, packet.id, packet.flags, packet.tos) == (57, 0xBEEF, "DF", 0x48)
    else:
        assert (packet.hlim, packet.tc) == (57, 0x48)


@PAIRS
@given(payload=st.binary(max_size=300), seq=st.integers(0, 2**32 - 1), flags=st.integers(0, 255))
def test_the_checksum_of_any_segment_is_right(src: bytes, dst: bytes, payload: bytes, seq: int, flags: int) -> None:
    read(
        forge.tcp(
            src=src,
            dst=dst,
            sport=seq & 0xFFFF,
            dport=443,
            seq=seq,
            ack=seq ^ 1,
            flags=flags,
            payload=payload,
            df=False,
        )
    )


@PAIRS
@given(payload=st.binary(max_size=300), port=st.integers(0, 0xFFFF))
def test_the_checksum_of_any_datagram_is_right(src: bytes, dst: bytes, payload: bytes, port: int) -> None:
    raw = forge.udp(src=src, dst=dst, sport=53, dport=port, payload=payload)
    found = view(raw)
    assert found is not None
    assert raw[found.header_end + 6 : found.header_end + 8] != b"\0\0"
    packet = read(raw)
    assert (packet[UDP].sport, packet[UDP].dport, bytes(packet[UDP].payload)) == (53, port, payload)


def test_addresses_of_two_versions_are_refused() -> None:
    with pytest.raises(ValueError, match="4 and 16 bytes"):
        forge.udp(src=A4, dst=B6, sport=1, dport=2, payload=b"")


def test_more_than_a_packet_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 40"):
        forge.tcp(src=A4, dst=B4, sport=1, dport=2, seq=0, ack=0, flags=0, options=bytes(41))
    with pytest.raises(ValueError, match="do not fit"):
        forge.tcp(src=A4, dst=B4, sport=1, dport=2, seq=0, ack=0, flags=0, payload=bytes(65_500))
    with pytest.raises(ValueError, match="do not fit"):
        forge.tcp(src=A6, dst=B6, sport=1, dport=2, seq=0, ack=0, flags=0, payload=bytes(65_536))
    with pytest.raises(ValueError, match="do not fit"):
        forge.udp(src=A6, dst=B6, sport=1, dport=2, payload=bytes(65_528))


@pytest.mark.parametrize(
    ("code", "four", "six"),
    [
        (Unreachable.NET, 0, (1, 0)),
        (Unreachable.HOST, 1, (1, 3)),
        (Unreachable.PROTOCOL, 2, (4, 1)),
        (Unreachable.PORT, 3, (1, 4)),
        (Unreachable.ADMIN, 13, (1, 1)),
    ],
)
def test_each_unreachable_has_its_code_in_both_versions(code: Unreachable, four: int, six: tuple[int, int]) -> None:
    original = bytes(IP(src="10.0.0.1", dst="203.0.113.5") / TCP(sport=40000, dport=443) / Raw(b"x" * 1000))
    raw = forge.icmp_unreachable(original, src=A4, code=code, ttl=50)
    answer = read(raw)
    assert (answer.src, answer.dst, answer.ttl) == ("203.0.113.5", "10.0.0.1", 50)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, four)
    assert raw[28:] == original[:548]
    original = bytes(IPv6(src="2001:db8::1", dst="2001:db8::5") / TCP(sport=40000, dport=443) / Raw(b"x" * 1300))
    raw = forge.icmp_unreachable(original, src=A6, code=code)
    answer = read(raw)
    layer = answer[ICMPv6ParamProblem if six[0] == 4 else ICMPv6DestUnreach]
    assert (answer.src, answer.dst, layer.type, layer.code) == ("2001:db8::5", "2001:db8::1", *six)
    assert len(raw) == 1280
    assert raw[48:] == original[:1232]
    if six[0] == 4:
        assert layer.ptr == 6


def test_an_unreachable_across_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="16-byte address"):
        forge.icmp_unreachable(bytes(IP() / TCP()), src=A6, code=Unreachable.PORT)
    with pytest.raises(ValueError, match="IP version 0"):
        forge.icmp_unreachable(b"", src=A4, code=Unreachable.PORT)


def test_a_dns_answer_has_id_question_and_the_addresses_of_the_asked_type() -> None:
    query = bytes(DNS(id=0x1234, rd=1, qd=DNSQR(qname="BLOCKED.example", qtype="A")))
    raw = forge.dns_answer(query, addresses=[A4, A6, B4], answer_ttl=123)
    assert raw is not None
    answer = DNS(raw)
    assert (answer.id, answer.qr, answer.rd, answer.ra, answer.aa, answer.rcode) == (0x1234, 1, 1, 1, 0, 0)
    assert answer.qd[0].qname == b"BLOCKED.example."
    assert [(record.rrname, record.ttl, record.rdata) for record in answer.an] == [
        (b"BLOCKED.example.", 123, "203.0.113.5"),
        (b"BLOCKED.example.", 123, "10.0.0.1"),
    ]


def test_a_query_for_aaaa_gets_the_ipv6_address() -> None:
    query = bytes(DNS(id=1, rd=0, qd=DNSQR(qname="blocked.example", qtype="AAAA")))
    raw = forge.dns_answer(query, addresses=[A4, A6], authoritative=True)
    assert raw is not None
    answer = DNS(raw)
    assert (answer.aa, answer.rd, [record.rdata for record in answer.an]) == (1, 0, ["2001:db8::5"])


def test_nxdomain_has_no_records_and_flags_can_be_given_whole() -> None:
    query = bytes(DNS(id=1, rd=1, qd=DNSQR(qname="blocked.example")))
    raw = forge.dns_answer(query, addresses=[A4], rcode=3)
    assert raw is not None
    assert (DNS(raw).rcode, DNS(raw).ancount) == (3, 0)
    raw = forge.dns_answer(query, addresses=[A4], flags=0x8580)
    assert raw is not None
    assert raw[2:4] == b"\x85\x80"


def test_only_the_first_question_and_no_edns_is_echoed() -> None:
    query = bytes(DNS(id=1, rd=1, qd=[DNSQR(qname="a.example"), DNSQR(qname="b.example")]))
    raw = forge.dns_answer(query, addresses=[A4])
    assert raw is not None
    answer = DNS(raw)
    assert (answer.qdcount, answer.arcount, answer.qd[0].qname) == (1, 0, b"a.example.")


@pytest.mark.parametrize(
    "query",
    [
        b"",
        bytes(11),
        bytes(40),
        bytes(DNS(id=1, qr=1, qd=DNSQR(qname="a.example"))),
        bytes(DNS(id=1, qd=DNSQR(qname="a.example")))[:-1],
        bytes.fromhex("0001 0100 0001 0000 0000 0000 c00c 0001 0001"),
    ],
)
def test_what_is_no_query_gets_no_answer(query: bytes) -> None:
    assert forge.dns_answer(query, addresses=[A4]) is None


@given(st.binary(max_size=80))
def test_no_query_raises(query: bytes) -> None:
    forge.dns_answer(query, addresses=[A4, A6])


def test_an_http_response_says_its_length_and_that_it_closes() -> None:
    raw = forge.http_response(status=403, headers=[("Server", "box"), ("Content-Type", "text/html")], body=b"<p>no</p>")
    assert raw == (
        b"HTTP/1.1 403 Forbidden\r\nServer: box\r\nContent-Type: text/html\r\n"
        b"Content-Length: 9\r\nConnection: close\r\n\r\n<p>no</p>"
    )


def test_an_http_redirect_keeps_the_headers_that_were_given() -> None:
    headers = [("Location", "http://block.example/"), ("content-length", "0"), ("connection", "keep-alive")]
    raw = forge.http_response(status=302, headers=headers)
    assert raw.count(b"ontent-") == 1
    assert raw.startswith(b"HTTP/1.1 302 Found\r\nLocation: http://block.example/\r\n")
    assert forge.http_response(status=450).startswith(b"HTTP/1.1 450 Blocked\r\n")


def test_a_header_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="not an HTTP header"):
        forge.http_response(status=200, headers=[("X", "a\r\nSet-Cookie: b")])


@pytest.mark.parametrize(
    "network",
    [
        IP(src="203.0.113.5", dst="10.0.0.1", ttl=44, id=99, tos=8, options=b"\x01\x01\x01\x01"),
        IPv6(src="2001:db8::5", dst="2001:db8::1", hlim=44, tc=8, fl=77),
        IPv6(src="2001:db8::5", dst="2001:db8::1", hlim=44) / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(id=5),
        IPv6(src="2001:db8::5", dst="2001:db8::1") / IPv6ExtHdrRouting(addresses=["2001:db8::7"], segleft=1),
    ],
    ids=["v4 with options", "v6", "v6 atomic fragment", "v6 with a route"],
)
def test_a_servers_packet_becomes_a_reset_and_stays_otherwise_its_own(network: Packet) -> None:
    segment = TCP(sport=443, dport=40000, seq=5, ack=6, flags="PA", window=321, options=[("Timestamp", (1, 2))])
    before = network / segment / Raw(b"server hello")
    raw = forge.as_reset(seen(before))
    packet = read(raw)
    reset = packet[TCP]
    assert (reset.sport, reset.dport, reset.seq, reset.ack, reset.window) == (443, 40000, 5, 6, 321)
    assert (reset.flags, reset.dataofs, len(reset.payload)) == ("RA", 5, 0)
    headers = len(network)
    original = bytes(before)
    same = (0, 1, 4, 5, 6, 7, 8) if packet.version == 4 else (0, 1, 2, 3, 6, 7)
    assert [raw[at] for at in same] == [original[at] for at in same]
    assert raw[20 if packet.version == 4 else 8 : headers] == original[20 if packet.version == 4 else 8 : headers]


def test_other_flags_can_be_put_in_and_udp_stays_as_it_is() -> None:
    before = IP(src="203.0.113.5", dst="10.0.0.1") / TCP(flags="SA")
    assert read(forge.as_reset(seen(before), FIN | PSH | ACK))[TCP].flags == "FPA"
    udp = IP(src="203.0.113.5", dst="10.0.0.1") / UDP() / Raw(b"x")
    assert forge.as_reset(seen(udp)) == bytes(udp)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFF))
def test_another_ttl_leaves_a_right_checksum(old: int, new: int, ip_id: int) -> None:
    four = bytes(IP(src="203.0.113.5", dst="10.0.0.1", ttl=old, id=ip_id) / TCP() / Raw(b"x"))
    assert read(forge.with_ttl(four, new)).ttl == new
    six = bytes(IPv6(src="2001:db8::5", dst="2001:db8::1", hlim=old) / TCP() / Raw(b"x"))
    assert read(forge.with_ttl(six, new)).hlim == new


def test_a_ttl_of_no_packet_is_nothing() -> None:
    assert forge.with_ttl(b"", 1) == b""
    assert forge.with_ttl(b"\x45abc", 1) == b"\x45abc"
