"""A box in plain English."""

from __future__ import annotations

from middlebox.grammar.box import BOX
from middlebox.grammar.document import RULE
from middlebox.policy import Policy, Rule
from middlebox.saying.box import box_sentences, bytes_text
from tests.middlebox.grammar.reading import read


def said(text: str, *rules: Rule) -> str:
    return "\n".join(box_sentences(Policy(name="x", ability=read(BOX, text), rules=rules)))


def test_placement_and_reaction() -> None:
    assert "stands in the path (in-path)" in said("{}")
    text = said("{placement: on-path, reaction: 1-3 ms}")
    assert (
        "stands beside the path (on-path): it sees copies and can only inject. It acts 1-3 ms after the trigger."
        in text
    )


def test_what_it_believes() -> None:
    text = said("tcp: {create: [syn, data], mid_stream: true, handshake: none, sequence: any, end: [], idle: 10 min}")
    assert "known to it at a SYN, data or data of an unknown connection" in text
    assert "reads data without having seen any of the handshake." in text
    assert "It accepts data at any sequence number." in text
    assert "No segment ends a connection for it." in text
    assert "silent for 600 s" in text
    assert "moves that number as it says" in said("tcp: {resynchronise: [ack]}")
    text = said("tcp: {end_effect: resynchronise, resynchronise: [syn, ack], end_check: nothing}")
    assert (
        "of whatever connection makes it take the sequence number of the next segment that is a SYN or a bare ACK"
        in text
    )
    assert "No TCP connection becomes known to it" in said("tcp: {create: [], handshake: none}")


def test_what_it_joins_and_how_far_it_looks() -> None:
    text = said("{reassembly: false, inspect: {packets: 20, bytes: 16 kB, stranger: 101 bytes}}")
    assert "It reads each TCP segment alone." in text
    assert "It does not join a TLS handshake message" in text
    assert "It does not join IP fragments." in text
    assert (
        "no further than the first 20 packets with payload of a flow and the first 16,000 bytes of a TCP direction"
        in text
    )
    assert "whose first payload has 101 bytes or more and cannot be read" in text
    assert "It looks into what both sides send." in said("inspect: {directions: [to-client, to-server]}")


def test_what_it_joins_of_quic_is_told_if_a_rule_asks_for_it() -> None:
    rule = read(RULE, "{name: a, match: {quic.sni: blocked.example}, action: drop}")
    assert "QUIC" not in said("{}")
    text = said("{}", rule)
    assert "It joins the CRYPTO frames of a QUIC packet, in any order and among other frames." in text
    assert "It joins QUIC datagrams." in text
    text = said("reassembly: {quic_frames: false, quic_datagrams: false}", rule)
    assert (
        "It reads a QUIC ClientHello in the first frame of a packet alone, whatever that frame's length says." in text
    )
    assert "It does not join QUIC datagrams." in text


def test_odd_abilities_are_told_only_where_there_are_any() -> None:
    plain = said("{}")
    assert "does not believe packets with a TTL" not in plain
    odd = said("{minimum_ttl: 5, extension_headers: false, checksums: verify, tcp: {header: plain}}")
    assert "It does not believe packets with a TTL below 5." in odd
    assert "does not read IPv6 packets with extension headers" in odd
    assert "does not believe packets with a wrong checksum" in odd
    assert "TCP headers of exactly 20 bytes" in odd


def test_who_is_inside_is_told_if_a_rule_asks_for_it() -> None:
    rule = read(RULE, "{name: a, match: {initiator: inside}, action: drop}")
    assert "Inside means" not in said("{}")
    assert "Inside means 10.0.0.0/8" in said("{}", rule)
    assert "Inside means 192.0.2.0/24." in said("inside: [192.0.2.0/24]")


def test_sizes_are_told_in_full() -> None:
    assert bytes_text(65_536) == "65,536 bytes"
