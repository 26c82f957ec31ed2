"""Shipped policies as their sources describe them: flags, counts, headers, times, what evades them."""

from __future__ import annotations

import re

import pytest
from scapy.layers.dns import DNS, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from middlebox.action import Log, Pass
from middlebox.intent import BLOCKED, DEGRADED, OK, THROTTLED, intended
from middlebox.load import PROFILES, load, load_whole, shipped
from middlebox.verdict import Direction, Verdict
from tests.middlebox.dialogue import NOON, Play, dropped, forged, get, hello, passed, pieces
from tests.middlebox.dissect.quic_made import MANY, RECORDED, V2, crypto, flight, initial, long_packet, message
from tests.middlebox.dissect.recorded import extension

NAMES = sorted(shipped())
#: policies that mean nothing of a blocked name in DNS, TLS or HTTP, and why
NOT_BY_NAME = {
    "esni-drop": "needs encrypted SNI",
    "tspu-ech": "needs Encrypted Client Hello",
    "iran-blackout-2025": "goes by ports",
    "ru-vpn": "goes by protocols",
    "gfw-fet": "goes by protocols",
    "vpn-handshake-block": "goes by protocols",
    "vpn-allow-list": "goes by protocols",
    "vpn-kill-after-data": "goes by protocols",
    "vpn-random": "goes by protocols",
    "vpn-police": "goes by protocols",
    "vpn-windows": "goes by protocols",
    "vpn-erratic": "goes by protocols",
    "vpn-block-address": "goes by protocols",
    "pakistan-2024-08": "slows other names, in phases",
    "lesson-2-address": "goes by addresses",
    "lesson-8-curfew": "an allow-list",
    "lesson-9-slow": "goes by addresses, and only delays",
    "tspu-quic-2022": "goes by the version of QUIC",
}
#: what profiles mean to do that let the blocked site through
SLOWS = {
    **dict.fromkeys(("throttle-police", "throttle-shape", "throttle-slow-start"), THROTTLED),
    **dict.fromkeys(("throttle-delay-loss", "throttle-handshake"), DEGRADED),
    "tspu-connections": OK,  # of a single connection
}


def play(name: str) -> Play:
    return Play(load(name))


def test_each_profile_is_called_like_its_file_and_says_where_it_comes_from() -> None:
    assert len(NAMES) >= 30
    for name in NAMES:
        loaded = load_whole(name)
        assert loaded.policy.name == name
        assert loaded.policy.about, name
        assert loaded.sources, name
        assert not loaded.warnings, name


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_means_to_block_or_to_slow_the_labs_blocked_site_and_spares_another(name: str) -> None:
    policy = load(name)
    if name in NOT_BY_NAME:
        return
    protocols = ("https", "h3", "http", "dns")
    size = 1_000_000  # larger than what passes before a freeze
    means = {one: intended(policy, name="blocked.example", protocol=one, size=size) for one in protocols}
    assert SLOWS.get(name, BLOCKED) in means.values(), means
    if name not in ("gfw-443-event", "ru-mobile-white-list"):
        assert all(intended(policy, name="other.example", protocol=one, size=size) == OK for one in protocols)


@pytest.mark.parametrize("name", NAMES)
def test_forged_addresses_are_for_documentation_or_as_published(name: str) -> None:
    text = (PROFILES / f"{name}.yaml").read_text(encoding="utf-8")
    addresses = set(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text))
    allowed = re.compile(r"10\.0\.\d+\.\d+|192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+|127\.0\.0\.1")
    assert all(allowed.fullmatch(address) for address in addresses)


def headers(packets: list[Packet], toward: str) -> list[tuple[str, int, int, bool]]:
    """Flags, TTL, IP ID and DF of the packets that go to this address."""
    return [(str(p[TCP].flags), p[IP].ttl, p[IP].id, bool(p[IP].flags.DF)) for p in packets if p[IP].dst == toward]


@pytest.mark.parametrize("end", ["10.0.0.1", "203.0.113.5"])
def test_the_three_injectors_of_gfw_like_are_those_of_the_paper(end: str) -> None:
    """Wu et al., S&P 2025, the table of the three; V13."""
    packets = forged(play("gfw-like").connect().send(hello()))
    assert len(packets) == 10
    seen = headers(packets, end)
    assert len(seen) == 5
    first = [one for one in seen if one[0] == "R"]
    second = [one for one in seen if one[0] == "RA" and one[3]]
    third = [one for one in seen if one[0] == "RA" and not one[3]]
    assert len(first) == 1
    assert 55 <= first[0][1] <= 118
    assert (first[0][2], first[0][3]) == (0, False)
    assert len(second) == 3
    assert len(set(second)) == 1, "three identical packets"
    assert 39 <= second[0][1] <= 238
    assert 0x00A3 <= second[0][2] <= 0xFE5F
    assert len(third) == 1
    assert third[0][1] == 248
    assert 0x9916 <= third[0][2] <= 0x9933


def test_gfw_like_joins_segments_but_not_records_and_remembers_three_minutes() -> None:
    """TCP segmentation fails, TLS record fragmentation evades (V29); 180 s on the 3-tuple."""
    text = hello()
    box = play("gfw-like")
    flow = box.connect()
    assert passed(flow.send(text[:60]))
    assert flow.send(text[60:]).rule == "sni"
    assert box.connect(sport=40_001).send(b"x").injected, "the same server and port"
    assert passed(box.connect(sport=40_002, dport=8443).send(b"x")), "another port"
    box.wait(181)
    assert passed(box.connect(sport=40_003).send(b"x"))
    body = text[5:]
    records = b"".join(text[:3] + len(part).to_bytes(2, "big") + part for part in (body[:60], body[60:]))
    assert passed(play("gfw-like").connect().send(records))


def test_gfw_like_needs_the_clients_syn_and_not_the_servers() -> None:
    box = play("gfw-like")
    flow = box.connect()
    unseen = type(flow)(box, sport=40_009)
    assert passed(unseen.send(hello()))
    half = type(flow)(box, sport=40_010, server="203.0.113.6")
    half.syn()
    assert half.send(hello()).rule == "sni"


def test_gfw_http_hits_three_requests_in_four() -> None:
    box = play("gfw-http")
    hits = sum(
        bool(box.connect(sport=20_000 + n, dport=80, server=f"203.0.{n >> 8}.{n & 255}").send(get()).rule)
        for n in range(400)
    )
    assert 270 <= hits <= 330  # 300 expected, 3.5 standard deviations


def test_the_port_443_event_strikes_syn_and_syn_ack_from_inside_and_only_the_answer_from_outside() -> None:
    box = play("gfw-443-event")
    flow = type(box.connect(dport=80))(box, sport=41_000)
    assert len(forged(flow.syn())) == 6
    assert len(forged(box.give(flow.to_client(flags="SA")))) == 6
    other = type(flow)(box, client="203.0.113.9", server="10.0.0.7", sport=42_000)
    assert passed(other.syn())
    assert len(forged(box.give(other.to_client(flags="SA")))) == 6
    assert passed(type(flow)(box, sport=43_000, dport=8443).syn())


def test_henan_sends_ten_bytes_to_the_client_and_is_blind_to_options() -> None:
    """Wu et al., S&P 2025; V14."""
    box = play("henan")
    flow = box.connect()
    (packet,) = forged(flow.send(hello()))
    assert (packet[IP].dst, packet[IP].id, packet[IP].ttl) == ("10.0.0.1", 1, 64)
    assert str(packet[TCP].flags) == "RA"
    assert bytes(packet[TCP].payload) == bytes.fromhex("01020304050607080900")
    assert passed(box.connect(sport=40_001).send(hello(), options=[("NOP", None)] * 4))
    assert passed(box.connect(sport=40_002).send(b"x")), "no residual censorship"
    unseen = type(flow)(box, sport=40_003)
    assert unseen.send(hello()).rule == "sni", "no SYN is needed"
    parted = box.connect(sport=40_004)
    assert passed(parted.send(hello()[:60]))
    assert passed(parted.send(hello()[60:]))


def test_henan_and_the_national_firewall_together_send_four_to_the_client() -> None:
    """Three devices in series: one RST+ACK of Henan's and three of GFW(II) (V14)."""
    text = hello()
    local = headers(forged(play("henan").connect().send(text)), "10.0.0.1")
    national = headers(forged(play("gfw-tls").connect().send(text)), "10.0.0.1")
    assert len(local) + len([one for one in national if one[0] == "RA" and one[3]]) == 4


def test_tspu_like_rewrites_the_servers_packets_for_connections_from_inside() -> None:
    box = play("tspu-like")
    flow = box.connect()
    assert flow.send(hello()).verdict is Verdict.PASS
    decision = box.give(flow.to_client(b"ServerHello", ttl=57))
    assert decision.rewritten is not None
    packet = IP(decision.rewritten)
    assert (str(packet[TCP].flags), packet.ttl, packet[TCP].seq) == ("RA", 57, flow.peer)
    assert not bytes(packet[TCP].payload)
    assert passed(box.connect(client="203.0.113.9", server="10.0.0.7").send(hello()))


@pytest.mark.parametrize(("name", "evaded"), [("tspu-like", False), ("tspu-2022", True)])
def test_tspu_joins_segments_since_2025(name: str, evaded: bool) -> None:
    flow = play(name).connect()
    text = hello()
    flow.send(text[:100])
    flow.send(text[100:])
    assert passed(flow.answer(b"x")) is evaded


@pytest.mark.parametrize("name", ["tspu-like", "tspu-2022"])
@pytest.mark.parametrize(("junk", "evaded"), [(100, False), (101, True)])
def test_junk_of_101_bytes_first_evades_tspu(name: str, junk: int, evaded: bool) -> None:
    """Xue et al., IMC 2021; V5."""
    flow = play(name).connect()
    flow.send(b"\x00" * junk)
    flow.send(hello())
    assert passed(flow.answer(b"x")) is evaded


def test_tspu_sni_2_lets_five_to_eight_packets_pass() -> None:
    box = play("tspu-sni-2")
    counts = set()
    for sport in range(40_000, 40_040):
        flow = box.connect(sport=sport)
        flow.send(hello())
        count = 0
        while not dropped(flow.answer(b"x")) and count < 10:
            count += 1
        counts.add(count)
    assert counts == {5, 6, 7, 8}


@pytest.mark.parametrize(("name", "seconds"), [("tspu-sni-2", 420), ("tspu-sni-4", 40)])
def test_tspu_remembers_the_4_tuple(name: str, seconds: int) -> None:
    """V24."""
    box = play(name)
    flow = box.connect()
    flow.send(hello())
    for _ in range(9):
        flow.answer(b"x")
    assert dropped(type(flow)(box).syn())
    assert passed(type(flow)(box, sport=40_001).syn())
    box.wait(seconds + 601)
    assert passed(type(flow)(box).syn())


@pytest.mark.parametrize(("count", "seen"), [(45, True), (46, False)])
def test_tspu_joins_45_fragments_and_no_more(count: int, seen: bool) -> None:
    """V25."""
    box = play("tspu-sni-4")
    flow = box.connect()
    packet = flow.to_server(hello() + b"\x00" * 2_000)
    size = 8 * (-(-(len(packet) - 20) // 8 // count))
    parts = pieces(packet, size)
    while len(parts) > count:
        size += 8
        parts = pieces(packet, size)
    body = bytes(packet)[20:]
    if len(parts) < count:  # cut the last one further
        parts = [*parts[:-1]]
        at = len(parts) * size
        rest = body[at:]
        need = count - len(parts)
        cuts = [rest[8 * n : 8 * n + 8] for n in range(need - 1)] + [rest[8 * (need - 1) :]]
        for n, cut in enumerate(cuts):
            piece = IP(src=flow.client, dst=flow.server, proto=6, id=parts[0][IP].id, frag=(at + 8 * n) // 8)
            piece.flags = "MF" if n < need - 1 else 0
            parts.append(piece / cut)
    assert len(parts) == count
    verdicts = [dropped(box.give(part)) for part in parts]
    assert any(verdicts) is seen


def test_three_dns_injectors_race_and_one_mirrors_the_ttl() -> None:
    """Triplet Censors, FOCI 2020; V17."""
    box = play("dns-inject")
    decision = box.ask("www.blocked.example", ttl=37)
    packets = forged(decision)
    assert len(packets) == 3
    one = next(p for p in packets if p[DNS].aa)
    two = next(p for p in packets if p[IP].flags.DF)
    three = next(p for p in packets if p is not one and p is not two)
    assert (one[DNS].an[0].ttl, bool(one[IP].flags.DF)) == (60, False)
    assert int.from_bytes(bytes(two[UDP].payload)[2:4], "big") == 0x8180
    assert (three[IP].id, three[IP].ttl, bool(three[IP].flags.DF)) == (0, 37, False)
    times = [emission.at_ns - decision.t_ns for emission in decision.injected]
    assert max(times) - min(times) <= 200_000
    assert passed(box.ask("notblocked.example"))
    answers = {p[DNS].an[0].rdata for p in forged(box.ask("blocked.example", "AAAA"))}
    assert answers == {"2001:db8:bad::11", "2001:db8:bad::21", "2001:db8:bad::31"}


def test_turkmenistan_forges_the_loopback_and_a_reset_without_numbers() -> None:
    """Nourin et al., WWW 2023, artifact; V15."""
    box = play("turkmenistan")
    (answer,) = forged(box.ask("blocked.example"))
    assert (answer[IP].id, answer[IP].ttl) == (30_000, 128)
    record = answer[DNS].an[0]
    assert isinstance(record, DNSRR)
    assert (record.rdata, record.ttl) == ("127.0.0.1", 300)
    flow = type(box.connect())(box, sport=40_009, client="198.51.100.7", server="10.0.0.7")
    (reset,) = forged(flow.send(hello()))
    assert (reset[IP].dst, reset[IP].id, reset[IP].ttl) == ("198.51.100.7", 30_000, 128)
    assert (str(reset[TCP].flags), reset[TCP].seq, reset[TCP].ack, reset[TCP].window) == ("R", 0, 0, 0)


@pytest.mark.parametrize(("name", "seconds"), [("kazakhstan-null", 120), ("iran-sni-2021", 180)])
def test_a_null_route_of_the_4_tuple_lasts_as_long_as_packets_come(name: str, seconds: int) -> None:
    """Bock et al., WOOT 2021; V23."""
    box = play(name)
    flow = box.connect()
    assert dropped(flow.send(hello()))
    for _ in range(3):
        box.wait(seconds - 5)
        assert dropped(flow.answer(b"x"))
    assert passed(type(flow)(box, sport=40_001).syn())
    box.wait(seconds + 601)
    assert passed(type(flow)(box).syn())


def test_iran_http_sends_a_page_that_closes_and_then_a_reset() -> None:
    packets = forged(play("iran-http").connect(dport=80).send(get()))
    assert [str(packet[TCP].flags) for packet in packets] == ["FPA", "R"]
    assert bytes(packets[0][TCP].payload).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert all(packet[IP].dst == "10.0.0.1" for packet in packets)


def test_the_blackout_spares_three_ports_and_no_quic() -> None:
    box = play("iran-blackout-2025")
    assert all(
        passed(type(box.connect(dport=80))(box, sport=50_000 + port, dport=port).syn()) for port in (80, 443, 53)
    )
    assert dropped(type(box.connect(dport=80))(box, sport=51_000, dport=22).syn())
    assert dropped(box.ping("10.0.0.1", "203.0.113.5"))
    assert dropped(box.give(IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=50_000, dport=443) / (b"x" * 1200)))
    assert passed(box.ask("blocked.example"))


def test_brunei_echoes_the_ip_id() -> None:
    (packet,) = forged(play("brunei").connect().send(hello(), id=4711))
    assert packet[IP].id == 4711


def test_the_white_list_drops_other_hellos_and_pings() -> None:
    box = play("ru-mobile-white-list")
    assert passed(box.connect().send(hello("innocent.example")))
    assert dropped(box.connect(sport=40_001).send(hello("other.example")))
    assert dropped(box.connect(sport=40_002).send(hello(None)))
    assert dropped(box.ping("10.0.0.1", "203.0.113.5"))
    assert passed(box.connect(sport=40_003, dport=80).send(get()))


def test_the_vendors_gateway_redirects_and_lies() -> None:
    box = play("tsg-generic")
    decision = box.connect(dport=80).send(get())
    (page,) = forged(decision)
    assert b"\r\nLocation: http://192.0.2.240/\r\n" in bytes(page[TCP].payload)
    assert dropped(decision)
    packets = forged(box.connect(sport=40_001).send(hello()))
    assert [(str(p[TCP].flags), bool(p[IP].flags.DF)) for p in packets] == [("RA", True)] * 6
    assert all(48 <= p[IP].ttl <= 247 for p in packets)


def test_the_lesson_on_overblocking_overblocks() -> None:
    box = play("lesson-7-overblocking")
    assert dropped(box.connect().send(hello("notblocked.example")))
    assert passed(box.connect(sport=40_001).send(hello("innocent.example")))


def test_the_curfew_begins_at_four_in_the_afternoon_of_its_own_time_zone() -> None:
    def struck(hour_utc: int) -> int:
        box = play("lesson-8-curfew")
        box.now_ns = NOON + (hour_utc - 12) * 3_600 * 10**9
        return sum(dropped(box.connect(sport=20_000 + n).send(hello("other.example"))) for n in range(100))

    assert struck(12) == 0  # 15:30 there
    assert 30 <= struck(13) <= 70  # 16:30


def udp(payload: bytes, *, back: bool = False, sport: int = 40_000, dport: int = 443) -> Packet:
    if back:
        return IP(src="203.0.113.5", dst="10.0.0.1") / UDP(sport=dport, dport=sport) / Raw(payload)
    return IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=sport, dport=dport) / Raw(payload)


def lost(box: Play, *first: bytes, sport: int = 40_000, dport: int = 443) -> bool:
    """Send these datagrams, and say whether the client's next one, a second later, is lost; the first ones are not."""
    assert all(not dropped(box.give(udp(data, sport=sport, dport=dport))) for data in first)
    box.wait(1)
    return dropped(box.give(udp(b"next", sport=sport, dport=dport)))


def test_gfw_quic_lets_the_initial_go_and_then_loses_what_the_client_sends_for_three_minutes() -> None:
    """Zohaib et al., USENIX Security 2025; V19."""
    box = play("gfw-quic")
    assert not dropped(box.give(udp(flight()[0])))
    box.wait(0.050)
    assert passed(box.give(udp(b"in time"))), "it acts after 60 ms at least"
    box.wait(0.120)
    begin = box.now_ns
    assert dropped(box.give(udp(b"late")))
    assert passed(box.give(udp(b"answer", back=True)))
    assert dropped(box.give(udp(b"another port of the client's", sport=50_000)))
    assert passed(box.give(udp(b"another port of the server's", dport=444)))
    while box.now_ns < begin + 177 * 10**9:
        box.wait(1)
        assert dropped(box.give(udp(b"more")))
        assert dropped(box.give(udp(flight()[0]))), "a new trigger does not start the time anew"
    box.wait(5)
    assert passed(box.give(udp(b"more")))
    assert passed(box.give(udp(b"more", sport=50_001)))


def shortest() -> bytes:
    """A packet of 137 bytes with empty connection IDs."""
    return initial(crypto(0, message(b"blocked.example", b"\x00\x2b\x00\x03\x02\x03\x04")), dcid=b"", size=137)


def test_gfw_quic_reads_a_first_frame_whatever_its_length_and_the_smallest_packet() -> None:
    """Payloads 1, 4 and 6 of the artifact."""
    assert len(shortest()) == 137
    assert lost(play("gfw-quic"), shortest())
    assert lost(play("gfw-quic"), initial(b"\x06\x00\x00" + message(), size=1200))
    assert lost(play("gfw-quic"), initial(crypto(0, message()), number_length=1, size=1200))


def test_gfw_quic_is_evaded_as_published() -> None:
    """Payloads 2, 3, 5, 7, 8, 9 and 10 of the artifact; the order of ports; junk first; two datagrams."""
    hello = message()
    whole = initial(crypto(0, hello), size=1200)
    for evasion in (
        [whole[:-1]],
        [whole[:1] + b"\x00\x00\x00\x02" + whole[5:]],
        [long_packet(0, scid=bytes(255), rest=bytes(900))],
        [initial(crypto(0, message(b"x.example", extension(16, b"\x00\x10\x0fblocked.example"))), size=1200)],
        [initial(b"\x01" + bytes(100) + crypto(0, hello), size=1200)],
        [initial(crypto(0, hello), version=V2, size=1200)],
        [initial(crypto(0, hello[:60]) + crypto(60, hello[60:]), size=1200)],
        [*flight(alpn=MANY)],
        [*RECORDED["chrome146"]],
        [*RECORDED["firefox147"]],
        [bytes(14), whole],
        [long_packet(0, version=0x1A2A3A4A, rest=bytes(1100)), whole],
        [initial(crypto(0, message(b"innocent.example")), size=1200)],
    ):
        assert not lost(play("gfw-quic"), *evasion)
    assert lost(play("gfw-quic"), whole)
    assert lost(play("gfw-quic"), whole, sport=5_001, dport=5_000)
    assert not lost(play("gfw-quic"), whole, sport=5_000, dport=5_000)
    assert not lost(play("gfw-quic"), whole, sport=4_000, dport=5_000)


@pytest.mark.parametrize(("gap", "struck"), [(59, False), (61, True)])
def test_gfw_quic_remembers_a_flow_for_sixty_seconds(gap: int, struck: bool) -> None:
    box = play("gfw-quic")
    assert passed(box.give(udp(bytes(14))))
    box.wait(gap)
    assert lost(box, flight()[0]) is struck


def test_gfw_quic_looks_at_what_comes_from_inside() -> None:
    box = play("gfw-quic")
    packet = IP(src="203.0.113.9", dst="10.0.0.7") / UDP(sport=40_000, dport=443)
    assert passed(box.give(packet / Raw(flight()[0])))
    box.wait(1)
    assert passed(box.give(packet / Raw(b"next")))


@pytest.mark.parametrize(("hour", "share"), [(0, 0.15), (5, 0.72), (12, 0.20), (23, 0.087)])
def test_gfw_quic_strikes_in_beijing_by_the_hour(hour: int, share: float) -> None:
    """V19: within five percentage points of the published mean, of a thousand flows."""
    box = play("gfw-quic-beijing")
    box.now_ns = NOON + ((hour - 8 - 12) % 24) * 3_600 * 10**9
    packet = bytearray(bytes(udp(flight()[0])))
    struck = 0
    for n in range(1000):
        packet[14:16] = n.to_bytes(2, "big")  # the end of the client's address; this box checks no checksums
        decision = box.give(bytes(packet))
        struck += decision.rule == f"hour-{hour:02}"
    assert abs(struck / 1000 - share) < 0.05


def test_tspu_of_2022_drops_quic_by_its_version_alone() -> None:
    """Xue et al., IMC 2022, as quoted by Zohaib et al.; V24."""
    secret = long_packet(0, rest=b"\x00\x44\x00" + bytes(1023))
    for data, sport, dport, struck in (
        (flight("innocent.example")[0], 40_000, 443, True),
        (secret[:1001], 40_000, 443, False),  # its length says that it goes on
        (secret + bytes(1), 40_000, 443, True),  # which nobody can decrypt
        (flight()[0], 40_000, 444, False),
        (flight(version=V2)[0], 40_000, 443, False),
        (initial(b"\x01", size=1001), 40_000, 443, True),
        (initial(b"\x01", size=1000), 40_000, 443, False),
        (long_packet(0, version=0xFF00001D, rest=bytes(1100)), 40_000, 443, False),
    ):
        box = play("tspu-quic-2022")
        assert dropped(box.give(udp(data, sport=sport, dport=dport))) is struck
        assert dropped(box.give(udp(b"answer", back=True, sport=sport, dport=dport))) is struck
        assert passed(box.give(udp(b"another flow", sport=sport + 1, dport=dport)))
        box.wait(421)
        assert passed(box.give(udp(b"later", sport=sport, dport=dport)))
    outside = IP(src="203.0.113.9", dst="10.0.0.7") / UDP(sport=40_000, dport=443) / Raw(flight()[0])
    assert passed(play("tspu-quic-2022").give(outside))


def test_the_vendors_gateway_reads_quic_over_two_datagrams_of_full_size() -> None:
    box = play("tsg-generic")
    one, two = RECORDED["chrome146"]
    assert passed(box.give(udp(one)))
    assert dropped(box.give(udp(two)))
    assert passed(play("tsg-generic").give(udp(shortest())))
    assert passed(play("tsg-generic").give(udp(flight("innocent.example")[0])))


def test_encrypted_client_hello_is_dropped_over_quic_as_well() -> None:
    ech = extension(0xFE0D, bytes(40))
    for name, more, struck in (
        (b"cloudflare-ech.com", ech, True),
        (b"other.example", ech, False),
        (b"cloudflare-ech.com", b"", False),
    ):
        data = initial(crypto(0, message(name, more)), size=1200)
        assert dropped(play("tspu-ech").give(udp(data))) is struck


def test_ipv6_is_censored_like_ipv4() -> None:
    for name in NAMES:
        policy = load(name)
        if name in NOT_BY_NAME or not any(field == "tls.sni" for rule in policy.rules for field in rule.match.fields()):
            continue
        box = Play(policy)
        server = "2001:db8:203::5"
        decision = box.connect(client="2001:db8:1::1", server=server).send(hello())
        assert decision.rule or box.policy.rules[0].chance < 1, name
        assert all(packet.version == 6 and IPv6 in packet for packet in forged(decision)), name


def test_no_profile_is_only_a_log() -> None:
    for name in NAMES:
        for rule in load(name).rules:
            actions = rule.actions if rule.memory is None else (*rule.actions, *rule.memory.actions)
            assert not all(isinstance(action, Pass | Log) for action in actions), name
    assert Direction.TO_CLIENT.reverse is Direction.TO_SERVER
