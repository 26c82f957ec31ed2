"""What need not be shown to the censor: for any policy and any conversation, no packet's fate is another without it.

A driver that leaves decided flows to the kernel, and lets by what a policy cannot be interested in, is pretended here;
packets are built by the test's own bytes.
"""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.ability import Ability, EndCheck, EndEffect, Handshake, Header, Segment, Sequence, Tcp, fixed
from middlebox.action import Action, Drop, Hold, Log, Pass, Police, Rewrite, Scope, Share
from middlebox.censor import Censor
from middlebox.interest import EVERYTHING, Interest, ends_matter, fates_last, interest
from middlebox.match import Above, All, AnyOf, Below, InRanges, Is, Match, Not, Operator, Present, Under, Within
from middlebox.match import Test as Leaf
from middlebox.packet import ACK, FIN, PSH, RST, SYN, PacketView, view
from middlebox.policy import Cycle, Key, Memory, Policy, Rearm, Rule, Schedule, Start, Threshold
from middlebox.verdict import Decision, Direction, Disposition, Ends, Verdict
from tests.middlebox.dialogue import NOON, get, hello, policy

S = 1_000_000_000
PROFILES = sorted(Path("middlebox/profiles").glob("*.yaml"))


# -- packets ----------------------------------------------------------------------------------------------------------


def _ip(src: str, dst: str, proto: int, body: bytes) -> bytes:
    one, other = ip_address(src), ip_address(dst)
    if one.version == 4:
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 60, proto, 0) + one.packed + other.packed + body
    return struct.pack("!IHBB", 6 << 28, len(body), proto, 60) + one.packed + other.packed + body


class _Tunnel:
    """Messages of VPNs, mostly in their order."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.kind = draw.choice((self.wireguard, self.openvpn, self.ikev2))
        self.up, self.down = draw.randbytes(8), draw.randbytes(8)
        self.said = 0

    def wireguard(self, up: bool, count: int) -> list[bytes]:
        self.said += 1
        mine, other = (self.up, self.down) if up else (self.down, self.up)
        if self.said <= 2 or self.draw.random() < 0.1:
            if up:
                return [b"\x01\0\0\0" + mine[:4] + self.draw.randbytes(140)]
            return [b"\x02\0\0\0" + mine[:4] + other[:4] + self.draw.randbytes(80)]
        counter = self.said.to_bytes(8, "little")
        return [b"\x04\0\0\0" + other[:4] + counter + self.draw.randbytes(32) for _ in range(count)]

    def openvpn(self, up: bool, count: int) -> list[bytes]:
        self.said += 1
        mine, other = (self.up, self.down) if up else (self.down, self.up)
        if self.said <= 2 or self.draw.random() < 0.1:
            if up:
                return [b"\x38" + mine + bytes(5)]
            return [b"\x40" + mine + b"\x01\0\0\0\0" + other + bytes(4)]
        if self.draw.random() < 0.2:
            return [b"\x20" + mine + self.draw.randbytes(60)]
        return [b"\x48" + self.draw.randbytes(60) for _ in range(count)]

    def ikev2(self, up: bool, count: int) -> list[bytes]:
        self.said += 1
        if self.said <= 2 or self.draw.random() < 0.1:
            flags, theirs = (0x08, bytes(8)) if up else (0x20, self.down)
            head = self.up + theirs + bytes((33, 0x20, 34, flags)) + bytes(4) + (48).to_bytes(4, "big")
            return [head + b"\0\0\0\x14" + self.draw.randbytes(16)]
        return [b"\x12\x34" + self.draw.randbytes(60) for _ in range(count)]

    def next(self, client: str, server: str) -> list[bytes]:
        """The next datagrams."""
        up = self.draw.random() < 0.5 if self.said else self.draw.random() < 0.9
        said = self.kind(up, self.draw.randrange(1, 6))
        if self.draw.random() < 0.05:
            said = [b"strange"] * self.draw.randrange(1, 7)
        ports, ends = ((40000, 51820), (client, server)) if up else ((51820, 40000), (server, client))
        return [_ip(*ends, 17, struct.pack("!HHHH", *ports, 8 + len(one), 0) + one) for one in said]


class _Talk:
    """One TCP connection, or what somebody makes of it."""

    def __init__(self, draw: random.Random, client: str, server: str, sport: int, tunnel: _Tunnel | None) -> None:
        self.draw, self.tunnel = draw, tunnel
        self.client, self.server, self.sport = client, server, sport
        self.dport = draw.choice((80, 443))
        self.seq, self.peer = draw.randrange(1 << 32), draw.randrange(1 << 32)

    def packet(self, up: bool, flags: int, payload: bytes = b"", off: int = 0) -> bytes:
        ports = (self.sport, self.dport) if up else (self.dport, self.sport)
        seq, ack = (self.seq, self.peer) if up else (self.peer, self.seq)
        ack = ack if flags & ACK else 0
        options = b"\x01" * 12 if self.draw.random() < 0.5 else b""
        head = struct.pack(
            "!HHIIBBHHH", *ports, (seq + off) % 2**32, ack, (5 + len(options) // 4) << 4, flags, 500, 0, 0
        )
        ends = (self.client, self.server) if up else (self.server, self.client)
        return _ip(*ends, 6, head + options + payload)

    def move(self, up: bool, count: int) -> None:
        if up:
            self.seq = (self.seq + count) % 2**32
        else:
            self.peer = (self.peer + count) % 2**32

    def open(self) -> list[bytes]:
        made = [self.packet(True, SYN)]
        self.move(True, 1)
        made.append(self.packet(False, SYN | ACK))
        self.move(False, 1)
        return [*made, self.packet(True, ACK)]

    def next(self) -> list[bytes]:
        """The next packets: an ordinary step, or an odd one."""
        draw = self.draw
        step = draw.randrange(14)
        up = draw.random() < 0.6
        if step == 0:
            self.sport += draw.choice((0, 0, 1))
            return self.open()
        if step <= 4:
            said = draw.choice((hello(), hello("innocent.example"), get(), get("innocent.example"), b"\0foreign" * 9))
            if self.tunnel is not None and draw.random() < 0.8:
                said = b"".join(
                    len(one).to_bytes(2, "big") + one for one in self.tunnel.openvpn(up, draw.randrange(1, 4))
                )
            cut = draw.randrange(len(said)) if draw.random() < 0.3 else 0
            made = []
            for part in (said[:cut], said[cut:]):
                if part:
                    made.append(self.packet(up, PSH | ACK, part))
                    self.move(up, len(part))
            return [*made, self.packet(not up, ACK)]
        if step <= 6:
            made = [self.packet(up, ACK, bytes(draw.randrange(1, 1400)))]
            self.move(up, len(view(made[0]).payload))  # type: ignore[union-attr]
            return [*made, self.packet(not up, ACK)]
        odd = draw.choice((0, 0, -1, 1, 5_000, -70_000))
        if step <= 9:
            return [self.packet(up, ACK, off=odd)]
        if step == 10:
            return [self.packet(up, draw.choice((RST, RST | ACK, FIN | ACK)), off=odd)]
        if step == 11:
            return [self.packet(up, draw.choice((SYN, SYN | ACK, PSH | ACK, 0)), off=odd)]
        return [self.packet(up, PSH | ACK, b"again" * 5, off=odd)]


def _datagram(draw: random.Random, client: str, server: str) -> bytes:
    if draw.random() < 0.3:
        return _ip(client, server, 58 if ":" in client else 1, b"\x08\0\0\0\0\1\0\1ping")
    if draw.random() < 0.2:
        return _ip(client, server, 47, b"tunnelled")
    ports = [draw.choice((5353, 40000)), draw.choice((53, 443, 9))]
    name = b"".join(bytes([len(word)]) + word for word in (draw.choice((b"blocked", b"open")), b"example"))
    query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"
    if draw.random() < 0.3:
        ports.reverse()
        client, server = server, client
    return _ip(client, server, 17, struct.pack("!HHHH", *ports, 8 + len(query), 0) + query)


def _traffic(draw: random.Random, count: int, tunnels: float = 0.1) -> list[bytes]:
    """Packets of connections and of datagrams; `tunnels`: the share of what VPNs say."""
    ends = [("10.0.0.1", "203.0.113.5"), ("10.0.0.2", "203.0.113.5"), ("2001:db8:1::1", "2001:db8:2::5")]
    talks = [
        _Talk(draw, *draw.choice(ends), 40000 + draw.randrange(2), _Tunnel(draw) if draw.random() < tunnels else None)
        for _ in range(3)
    ]
    links = [(_Tunnel(draw), draw.choice(ends)) for _ in range(2)]
    made = [packet for talk in talks[: draw.randrange(4)] for packet in talk.open()]
    while len(made) < count:
        if draw.random() < tunnels:
            link, where = draw.choice(links)
            made += link.next(*where)
        elif draw.random() < 0.15:
            made.append(_datagram(draw, *draw.choice(ends)))
        else:
            made += draw.choice(talks).next()
    return made


# -- policies ---------------------------------------------------------------------------------------------------------


def _leaf(draw: random.Random) -> Match:
    banned = Under(frozenset({"blocked.example"}))
    return draw.choice(
        (
            Leaf("tls.sni", banned),
            Leaf("tls.sni", banned),
            Leaf("http.host", banned),
            Leaf("dns.name", banned),
            Leaf("tls.sni", Present(False)),
            Leaf("transport", Is(frozenset({draw.choice(("tcp", "udp", "icmp", "other"))}))),
            Leaf("server.port", Is(frozenset({443, 53}))),
            Leaf("any.port", InRanges(((1, 60), (440, 450)))),
            Leaf("ip.version", Is(frozenset({draw.choice((4, 6))}))),
            Leaf("client.ip", Within([ip_network("10.0.0.1/32")])),
            Leaf("tcp.flags", Is(frozenset({draw.choice(("SYN", "ACK", "RST"))}))),
            Leaf("direction", Is(frozenset({"to-server"}))),
        )
    )


def _vpn_leaf(draw: random.Random) -> Match:
    """A field of a VPN that changes, grows or stays, or one that is the same for all packets of a flow."""
    number: Operator = draw.choice(
        (
            Above(draw.randrange(6)),
            Below(draw.randrange(6)),
            Is(frozenset({draw.randrange(4), draw.randrange(4)})),
            InRanges(((0, 1), (3, draw.randrange(3, 9)))),
            Present(draw.random() < 0.5),
        )
    )
    return draw.choice(
        (
            Leaf(draw.choice(("wireguard.data_packets", "openvpn.data_packets", "ikev2.esp_packets")), number),
            Leaf(draw.choice(("wireguard.data_bytes", "openvpn.control_packets")), number),
            Leaf(f"{draw.choice(('wireguard', 'openvpn', 'ikev2'))}.handshake", Is(frozenset({draw.random() < 0.7}))),
            Leaf("openvpn.wrapped", Is(frozenset({draw.random() < 0.5}))),
            Leaf("wireguard.message", Is(frozenset({draw.choice(("initiation", "data"))}))),
            Leaf("openvpn.message", Present(draw.random() < 0.8)),
            Leaf("ikev2.message", Is(frozenset({draw.choice(("ike-sa-init", "esp"))}))),
            Leaf(
                "server.ip", Within([ip_network(draw.choice(("203.0.113.0/24", "198.51.100.0/24", "2001:db8:2::/48")))])
            ),
            Leaf("client.ip", Within([ip_network("10.0.0.1/32")])),
            Leaf("any.ip", Within([ip_network("10.0.0.2/32")])),
            Leaf("initiator", Is(frozenset({"outside"}))),
            Leaf("direction", Is(frozenset({draw.choice(("to-server", "to-client"))}))),
            Leaf("server.port", Is(frozenset({51820, 443}))),
            _leaf(draw),
        )
    )


def _vpn_match(draw: random.Random, depth: int = 2) -> Match:
    kind = draw.randrange(5) if depth else 0
    if kind <= 1:
        return _vpn_leaf(draw)
    if kind == 2:
        return Not(_vpn_match(draw, depth - 1))
    parts = tuple(_vpn_match(draw, depth - 1) for _ in range(2))
    return AnyOf(parts) if kind == 3 else All(parts)


def _match(draw: random.Random, depth: int = 2) -> Match:
    kind = draw.randrange(6) if depth else 0
    if kind <= 2:
        return _leaf(draw)
    if kind == 3:
        return Not(_match(draw, depth - 1))
    parts = tuple(_match(draw, depth - 1) for _ in range(2))
    return All(parts) if kind == 4 else AnyOf(parts)


def _action(draw: random.Random) -> Action:
    after = fixed(draw.randrange(4)) if draw.random() < 0.2 else None
    return draw.choice(
        (
            Drop(scope=Scope.FLOW),
            Drop(scope=draw.choice(tuple(Scope)), after=after),
            Rewrite(flags=RST | ACK),
            Pass(),
            Log(),
            Hold(delay_ns=fixed(1_000)),
            Police(
                rate=draw.choice((100, 100_000)), burst=2_000, per=draw.choice((Share.FLOW, Share.FLOW, Share.CLIENT))
            ),
        )
    )


def _memory(draw: random.Random) -> Memory | None:
    if draw.random() < 0.6:
        return None
    return Memory(
        duration_ns=draw.choice((1, 10, 500)) * S,
        key=draw.choice(tuple(Key)),
        rearm=draw.choice(tuple(Rearm)),
        start=draw.choice(tuple(Start)),
        actions=(Drop(scope=Scope.PACKET),) if draw.random() < 0.5 else (),
        coverage=draw.choice((1.0, 0.5)),
    )


def _ability(draw: random.Random) -> Ability:
    if draw.random() < 0.4:
        return Ability()
    kinds = tuple(Segment)
    tcp = Tcp(
        create=draw.choice((frozenset({Segment.SYN}), frozenset(draw.sample(kinds, 2)))),
        mid_stream=draw.random() < 0.2,
        resynchronise=frozenset(draw.sample(kinds, draw.randrange(3))),
        end=frozenset(draw.sample(kinds, draw.randrange(1, 4))),
        end_check=draw.choice(tuple(EndCheck)),
        end_effect=draw.choice(tuple(EndEffect)),
        sequence=draw.choice(tuple(Sequence)),
        handshake=draw.choice(tuple(Handshake)),
        header=draw.choice(tuple(Header)),
    )
    able = Ability(tcp=tcp, reaction_ns=fixed(draw.choice((0, 0, 5_000_000))))
    both = frozenset(Direction) if draw.random() < 0.4 else able.inspect.directions
    able = replace(able, inspect=replace(able.inspect, directions=both))
    return replace(able, reassembly=replace(able.reassembly, segments=draw.random() < 0.7))


def _policy(draw: random.Random, *, vpn: bool = False, phases: tuple[str, ...] = ()) -> Policy:
    able = _ability(draw)
    rules = []
    for number in range(draw.randrange(1, 4)):
        asleep = Schedule(cycle=Cycle(S, S)) if draw.random() < 0.1 else Schedule()
        match = Leaf("tls.sni", Under(frozenset({"blocked.example"}))) if draw.random() < 0.5 else _match(draw)
        chance = draw.choice((1.0, 1.0, 0.5))
        if vpn:
            match = _vpn_match(draw)
        if phases and draw.random() < 0.5:
            asleep = Schedule(phases=frozenset({draw.choice(phases)}))
        rules.append(
            Rule(
                name=f"r{number}",
                match=match,
                actions=(_action(draw),),
                memory=_memory(draw),
                chance=chance,
                when=asleep,
                threshold=Threshold(more_than=1, within_ns=60 * S, per=Key.CLIENT) if draw.random() < 0.1 else None,
            )
        )
    return Policy(name="p", ability=able, rules=tuple(rules))


# -- a driver that leaves to its kernel what it can -------------------------------------------------------------------


class _Fate(NamedTuple):
    """What becomes of a packet."""

    verdict: Verdict
    injected: tuple[bytes, ...] = ()
    rewritten: bytes | None = None


def _fate(decision: Decision) -> _Fate:
    return _Fate(decision.verdict, tuple(one.packet for one in decision.injected), decision.rewritten)


_Ends = tuple[tuple[bytes, int], tuple[bytes, int], int]


def _ends(seen: PacketView) -> _Ends:
    first, second = sorted(((seen.src, seen.src_port), (seen.dst, seen.dst_port)))
    return first, second, seen.proto


class _Kernel:
    """What the kernel does by itself, after the table of `middlebox.drivers.plane`."""

    def __init__(self, rules: Policy, shown: Interest | None = None) -> None:
        self.shown = shown or interest(rules)
        self.fates = fates_last(rules.ability)
        self.ends = ends_matter(rules)
        self.marks: dict[_Ends, tuple[Disposition, Ends]] = {}
        self.handshake: dict[_Ends, tuple[int, tuple[bytes, int]]] = {}
        self.fresh: dict[_Ends, int] = {}
        self.alone = 0

    def takes(self, seen: PacketView, now_ns: int) -> _Fate | None:
        """The fate of a packet that the box does not see."""
        key = _ends(seen)
        self._follow(seen, key, now_ns)
        mark = self.marks.get(key)
        if mark is not None:
            begins = seen.flags & (SYN | ACK) == SYN
            ends = seen.flags & (SYN | FIN | RST)
            if seen.proto == 6 and (begins or (ends and (self.ends or mark[0] is Disposition.DROP))):
                del self.marks[key]
            else:
                self.alone += 1
                return _Fate(Verdict.PASS if mark[0] is Disposition.PASS else Verdict.DROP)
        if self.shown.concerns(seen):
            return None
        if seen.proto == 6 and self.shown.tcp and (self.shown.ipv6 or seen.version == 4):
            known = self.handshake.get(key, (0, (b"", 0)))[0] == 3
            if not known or now_ns - self.fresh.get(key, 0) >= S:
                self.fresh[key] = now_ns
                return None
        self.alone += 1
        return _Fate(Verdict.PASS)

    def _follow(self, seen: PacketView, ends: _Ends, now_ns: int) -> None:
        if seen.proto != 6:
            return
        source = (seen.src, seen.src_port)
        stage, client = self.handshake.get(ends, (0, source))
        if seen.flags & SYN and not seen.flags & ACK:
            self.handshake[ends] = (1, source)
            self.fresh[ends] = now_ns
        elif stage == 1 and seen.flags & SYN and source != client:
            self.handshake[ends] = (2, client)
        elif stage == 2 and source == client and not seen.flags & (SYN | RST):
            self.handshake[ends] = (3, client)

    def leave(self, seen: PacketView, decision: Decision) -> None:
        for revoked in decision.revokes:
            for ends, (_, flow) in list(self.marks.items()):
                if all(not wanted or wanted == one for wanted, one in zip(revoked, flow, strict=True)):
                    del self.marks[ends]
        over = seen.proto == 6 and seen.flags & (FIN | RST)  # with this very packet, perhaps
        if (
            self.fates
            and not over
            and decision.disposition in (Disposition.PASS, Disposition.DROP)
            and seen.proto in (6, 17)
        ):
            client, _, server = decision.flow.partition(" ")[2].partition(">")
            flow = Ends(*_end(client), *_end(server))
            self.marks[_ends(seen)] = (decision.disposition, flow)


def _end(text: str) -> tuple[bytes, int]:
    address, _, port = text.rpartition(":")
    return ip_address(address.strip("[]")).packed, int(port)


def _play(
    rules: Policy,
    draw: random.Random,
    count: int = 60,
    *,
    tunnels: float = 0.1,
    phases: tuple[str, ...] = (),
    later: tuple[Policy, ...] = (),
) -> int:
    """Give the same packets to a box that sees everything and to one with a kernel; how many the kernel took alone.

    The first box asks its rules for as long as a flow may tell them anything: whether one can still match is for the
    second alone to know. `later`: policies to which both change, now and then. What was not read is not known then, so
    that both let go of a flow at the same packet; and the kernel is left what was decided alone, for what one policy
    was not interested in (nor how a flow ended) the next one may be.
    """
    whole, part = Censor(rules, seed=3), Censor(rules, seed=3)
    if not later:
        whole._asking._outlook.worth = False
    shown = EVERYTHING if later else None
    kernel = _Kernel(rules, shown)
    kernel.ends = kernel.ends or bool(later)
    now_ns = NOON
    alone = 0
    history: list[str] = []
    for raw in _traffic(draw, count, tunnels):
        now_ns += draw.choice((1_000, 1_000_000, 200_000_000, 2 * S))
        if phases and draw.random() < 0.05:
            phase = draw.choice(phases)
            whole.enter_phase(phase, now_ns)
            part.enter_phase(phase, now_ns)
        if later and draw.random() < 0.05:
            rules = draw.choice(later)
            whole.change(rules, now_ns)
            part.change(rules, now_ns)
            alone += kernel.alone
            kernel = _Kernel(rules, shown)
            kernel.ends = True
        seen = view(raw)
        assert seen is not None
        decision = whole.decide(raw, now_ns)
        whole.due(now_ns)
        part.due(now_ns)
        fate = kernel.takes(seen, now_ns)
        if fate is None:
            own = part.decide(raw, now_ns)
            kernel.leave(seen, own)
            fate = _fate(own)
        history.append(
            f"{seen.proto} {seen.src_port}>{seen.dst_port} {seen.flags:#x} {seen.payload_len} {fate.verdict}"
        )
        assert fate == _fate(decision), (rules, decision, history[-12:])
    return alone + kernel.alone


@settings(max_examples=150)
@given(st.integers(0, 2**64))
def test_no_fate_is_another_for_what_the_box_does_not_see(seed: int) -> None:
    draw = random.Random(seed)
    _play(_policy(draw), draw)


@settings(max_examples=200)
@given(st.integers(0, 2**64))
def test_no_fate_is_another_for_the_tunnels_that_are_left_to_the_kernel(seed: int) -> None:
    draw = random.Random(seed)
    phases = ("", "one", "two") if draw.random() < 0.5 else ()
    _play(_policy(draw, vpn=True, phases=phases), draw, 100, tunnels=0.6, phases=phases)


@settings(max_examples=100)
@given(st.integers(0, 2**64))
def test_no_fate_is_another_when_the_policy_changes_on_the_way(seed: int) -> None:
    draw = random.Random(seed)
    able = _ability(draw)
    later = tuple(replace(_policy(draw, vpn=draw.random() < 0.7), ability=able) for _ in range(2))
    _play(later[0], draw, 100, tunnels=draw.choice((0.1, 0.6)), later=later)


def test_the_kernel_takes_most_of_the_tunnels_that_no_rule_can_strike() -> None:
    """Without what lasts in a flow, none of these would ever be left to it."""
    match = All(
        (Leaf("wireguard.handshake", Is(frozenset({True}))), Leaf("server.ip", Within([ip_network("192.0.2.0/24")])))
    )
    rules = Policy(name="p", rules=(Rule(name="r", match=match, actions=(Drop(scope=Scope.FLOW),)),))
    assert sum(_play(rules, random.Random(seed), 100, tunnels=1.0) for seed in range(20)) > 20 * 80


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_no_fate_is_another_under_any_shipped_policy(path: Path) -> None:
    rules = Policy.load(path)
    for seed in range(6):
        _play(rules, random.Random(f"{path.stem} {seed}"), 80)


def test_the_kernel_takes_most_of_what_an_sni_filter_is_not_interested_in() -> None:
    rules = Policy.load("sni-drop")
    assert sum(_play(rules, random.Random(seed), 100) for seed in range(20)) > 20 * 40


# -- single answers ---------------------------------------------------------------------------------------------------


def _one(match: str, rest: str = "action: {drop: flow}", box: str = "{placement: in-path}") -> Interest:
    return interest(policy(f"name: p\nbox: {box}\nrules:\n  - name: r\n    match: {match}\n    {rest}\n"))


def test_a_filter_of_names_wants_no_acknowledgements_and_no_datagrams() -> None:
    assert _one("{tls.sni: {under: [blocked.example]}}") == replace(
        EVERYTHING, pure_acks=False, udp=(), icmp=False, other=False
    )


def test_rules_on_addresses_want_everything() -> None:
    assert _one("{server.ip: 203.0.113.5}") == EVERYTHING


@pytest.mark.parametrize(
    ("match", "ports"),
    [
        ("{dns.name: {under: [blocked.example]}}", ((0, 65_535),)),
        ("{dns.name: {under: [blocked.example]}, server.port: 53}", ((53, 53),)),
        (
            "{any: [{server.port: [53, 5353]}, {all: [{any.port: 443}, {transport: udp}]}]}",
            ((53, 53), (443, 443), (5353, 5353)),
        ),
        ("{transport: tcp}", ()),
    ],
)
def test_datagrams_are_wanted_from_the_ports_that_a_rule_must_have(match: str, ports: object) -> None:
    assert _one(match).udp == ports


@pytest.mark.parametrize(
    "changed",
    [
        {"box": "{placement: in-path, tcp: {create: [syn, syn-ack]}}"},
        {"box": "{placement: in-path, tcp: {mid_stream: true}}"},
        {"box": "{placement: in-path, tcp: {handshake: complete}}"},
        {"box": "{placement: in-path, reaction: 5 ms}"},
        {"rest": "action: {drop: to-client}"},
        {"rest": "action: {drop: {what: flow, after: 3 packets}}"},
        {"rest": "action: rewrite"},
        {"rest": "action: {police: 128 kbit/s}"},
        {"rest": "action: {drop: flow}\n    memory: {for: 60 s, key: 3-tuple}"},
        {"rest": "action: {drop: flow}\n    memory: {for: 60 s, key: 3-tuple, start: data, rearm: on-packet}"},
    ],
)
def test_acknowledgements_are_wanted_where_they_can_be_struck_or_counted(changed: dict[str, str]) -> None:
    assert _one("{tls.sni: {under: [blocked.example]}}", **changed).pure_acks


def test_acknowledgements_are_not_wanted_by_a_memory_that_waits_for_data() -> None:
    rest = "action: {drop: flow}\n    memory: {for: 60 s, key: 3-tuple, start: data}"
    assert not _one("{tls.sni: {under: [blocked.example]}}", rest).pure_acks


def test_fragments_always_matter() -> None:
    nothing = Interest(tcp=False, pure_acks=False, udp=(), icmp=False, other=False, ipv6=False)
    whole = view(_ip("10.0.0.1", "203.0.113.5", 17, bytes(20)))
    piece = view(_ip("10.0.0.1", "203.0.113.5", 17, bytes(24)).replace(b"\0\1\0\0", b"\0\1\x20\0", 1))
    assert whole is not None
    assert piece is not None
    assert not nothing.concerns(whole)
    assert nothing.concerns(piece)
