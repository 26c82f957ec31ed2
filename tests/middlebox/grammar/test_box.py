"""The words of a box become the values of its ability."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network

from middlebox.ability import (
    Ability,
    DnsInjector,
    Draw,
    EndCheck,
    Handshake,
    Header,
    Injector,
    Inspect,
    Limits,
    Overlap,
    Placement,
    Reassembly,
    Segment,
    Sequence,
    Tcp,
)
from middlebox.grammar.box import BOX, DNS_INJECTOR_KEYS, INJECTOR_KEYS, INSPECT, LIMITS, TCP
from middlebox.packet import ACK, RST
from middlebox.verdict import Direction
from tests.middlebox.grammar.reading import read, refusal

WHOLE = """
placement: on-path
reaction: 1-3 ms
inside: [10.0.0.0/8, 192.0.2.1]
checksums: verify
minimum_ttl: 3
extension_headers: false
tcp:
  create: [syn, syn-ack]
  mid_stream: true
  resynchronise: [ack]
  end: []
  end_check: flow
  end_effect: ignore
  sequence: exact
  handshake: syn-ack
  header: plain
  idle: 10 min
reassembly: {segments: false, overlap: strict, window: 1 kB, buffer: 2 kB, records: false, fragments: false,
             quic_frames: false, quic_datagrams: false, max_fragments: 45, fragment_timeout: 5 s}
inspect: {directions: [to-server, to-client], packets: 20, bytes: 16 kB, stranger: 101 bytes}
limits: {flows: 10, residual: 20, buffered: 5 MB, fragments: 30}
injectors:
  one: {flags: RST, toward: client, copies: 2, sequence: [0, 1460], ttl: mirror, ip_id: random, window: 5, df: true,
        payload: "hex:00", sequence_numbers: zero, reaction: 2 ms, gap: 1 ms}
dns_injectors:
  two: {a: 192.0.2.1, aaaa: ["2001:db8::1"], answer_ttl: 5 min, flags: 0x8180, authoritative: true, copies: 2,
        ttl: 9, ip_id: 7, df: true, reaction: 1 ms, gap: 2 ms}
"""


def test_every_word_of_a_box_arrives() -> None:
    box = read(BOX, WHOLE)
    assert box.placement is Placement.ON_PATH
    assert box.reaction_ns == Draw(1_000_000, 3_000_000)
    assert box.inside == (ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"))
    assert (box.verify_checksums, box.minimum_ttl, box.extension_headers) == (True, 3, False)
    tcp = box.tcp
    assert tcp.create == {Segment.SYN, Segment.SYN_ACK}
    assert tcp.mid_stream
    assert tcp.resynchronise == {Segment.ACK}
    assert not tcp.end
    assert (tcp.end_check, tcp.sequence, tcp.handshake) == (EndCheck.FLOW, Sequence.EXACT, Handshake.SYN_ACK)
    assert (tcp.header, tcp.idle_ns) == (Header.PLAIN, 600 * 10**9)
    able = box.reassembly
    assert (able.segments, able.records, able.fragments, able.overlap) == (False, False, False, Overlap.STRICT)
    assert (able.quic_frames, able.quic_datagrams) == (False, False)
    assert (able.window, able.buffer, able.max_fragments, able.fragment_timeout_ns) == (1000, 2000, 45, 5 * 10**9)
    assert box.inspect.directions == frozenset(Direction)
    assert (box.inspect.packets, box.inspect.bytes, box.inspect.stranger) == (20, 16_000, 101)
    assert (box.limits.flows, box.limits.residual, box.limits.fragments) == (10, 20, 30)
    assert box.limits.buffered == 5_000_000
    one = box.injectors["one"]
    assert (one.name, one.flags, one.toward, one.copies, one.sequence) == (
        "one", RST, frozenset({Direction.TO_CLIENT}), 2, (0, 1460),
    )  # fmt: skip
    assert one.ttl.mirror
    assert (one.ip_id, one.window, one.df, one.payload) == (Draw(0, 65_535), Draw(5, 5), True, b"\0")
    assert (one.real_sequence, one.reaction_ns, one.gap_ns) == (False, Draw(2_000_000, 2_000_000), 1_000_000)
    two = box.dns_injectors["two"]
    assert (two.name, two.a, len(two.aaaa[0]), two.rcode) == ("two", (bytes([192, 0, 2, 1]),), 16, 0)
    assert (two.answer_ttl, two.flags, two.authoritative, two.copies) == (300, 0x8180, True, 2)
    assert (two.ttl, two.ip_id, two.df, two.gap_ns) == (Draw(9, 9), Draw(7, 7), True, 2_000_000)


def test_what_is_left_out_is_the_ordinary_box() -> None:
    assert read(BOX, "{}") == Ability()
    assert read(BOX, "injectors: {one: {}}").injectors["one"] == Injector(name="one", flags=RST | ACK)


def test_reassembly_may_be_true_or_false_as_a_whole() -> None:
    assert read(BOX, "reassembly: true").reassembly == Reassembly()
    able = read(BOX, "reassembly: false").reassembly
    assert (able.segments, able.records, able.fragments) == (False, False, False)
    assert (able.quic_frames, able.quic_datagrams) == (False, False)


def test_nxdomain_is_an_answer_of_its_own() -> None:
    assert read(BOX, "dns_injectors: {one: {nxdomain: true}}").dns_injectors["one"].rcode == 3
    problem = refusal(BOX, "dns_injectors: {one: {nxdomain: true, a: 192.0.2.1}}")
    assert problem.found == "a DNS injector with addresses and 'nxdomain: true'"
    assert "answers nothing" in refusal(BOX, "dns_injectors: {one: {nxdomain: false}}").found


def test_every_value_of_an_ability_has_its_word() -> None:
    """A value that is added to the model and not to the grammar could not be written."""
    records = {Ability: BOX, Tcp: TCP, Limits: LIMITS, Inspect: INSPECT}
    for values, record in records.items():
        words = {one.argument for one in record.keys.values()}
        assert words == {field.name for field in dataclasses.fields(values)}, values.__name__
    for injector, keys in ((Injector, INJECTOR_KEYS), (DnsInjector, DNS_INJECTOR_KEYS)):
        assert {one.argument for one in keys} | {"name"} == {field.name for field in dataclasses.fields(injector)}
    whole = read(BOX, WHOLE)
    for field in dataclasses.fields(Reassembly):
        assert getattr(whole.reassembly, field.name) != getattr(Reassembly(), field.name), field.name
