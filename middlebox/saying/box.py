"""A box's ability in plain English: where it stands, what it believes, what it puts together, how far it looks."""

from __future__ import annotations

from middlebox.ability import (
    INSIDE,
    Ability,
    EndCheck,
    EndEffect,
    Handshake,
    Header,
    Overlap,
    Placement,
    Segment,
    Sequence,
)
from middlebox.grammar.problem import listed
from middlebox.grammar.units import time_text, times_text
from middlebox.policy import Policy
from middlebox.saying.forged import dns_injector_about, injector_about
from middlebox.verdict import Direction

_SEGMENTS = {
    Segment.SYN: "a SYN",
    Segment.SYN_ACK: "a SYN+ACK",
    Segment.ACK: "a bare ACK",
    Segment.DATA: "data",
    Segment.FIN: "a FIN",
    Segment.RST: "a RST",
    Segment.RST_ACK: "a RST+ACK",
}
_HANDSHAKE = {
    Handshake.NONE: "without having seen any of the handshake",
    Handshake.SYN: "once it has seen the client's SYN",
    Handshake.SYN_ACK: "once it has seen SYN and SYN+ACK",
    Handshake.COMPLETE: "once it has seen the whole handshake",
}
_END_CHECK = {
    EndCheck.NOTHING: "of whatever connection",
    EndCheck.FLOW: "with the addresses and ports of a connection, whatever its sequence number,",
    EndCheck.SEQUENCE: "at the expected sequence number of a connection",
}
_END_EFFECT = {
    EndEffect.FORGET: "makes it forget the connection",
    EndEffect.IGNORE: "changes nothing for it",
}
_OVERLAP = {
    Overlap.FIRST: "where copies of a byte disagree, the first counts",
    Overlap.LAST: "where copies of a byte disagree, the last counts",
    Overlap.STRICT: "where copies of a byte disagree, it stops reading",
}


def box_sentences(policy: Policy) -> list[str]:
    """The sentences about `box:`."""
    ability = policy.ability
    said = [_stands(ability), *_believes(ability), *_joins(ability)]
    able = ability.reassembly
    if any("quic" in rule.asks for rule in policy.rules) or not (able.quic_frames and able.quic_datagrams):
        said += _joins_quic(ability)
    said += _looks(ability)
    initiator = any("initiator" in rule.match.fields() for rule in policy.rules)
    if initiator or ability.inside != INSIDE:
        said.append(f"Inside means {listed([str(network) for network in ability.inside])}.")
    said += [injector_about(one) for one in ability.injectors.values()]
    said += [dns_injector_about(one) for one in ability.dns_injectors.values()]
    limits = ability.limits
    said.append(
        f"It remembers up to {limits.flows:,} TCP connections and as many other flows, {limits.residual:,} entries of "
        f"residual censorship, {limits.fragments:,} datagrams in pieces and {limits.buckets:,} shared buckets; beyond "
        f"that the oldest goes. It gives up a connection when {bytes_text(limits.buffered)} of all connections wait to "
        "be read."
    )
    return said


def _stands(ability: Ability) -> str:
    when = "at once" if ability.reaction_ns.high == 0 else f"{times_text(ability.reaction_ns)} after the trigger"
    if ability.placement is Placement.ON_PATH:
        return f"The box stands beside the path (on-path): it sees copies and can only inject. It acts {when}."
    return (
        "The box stands in the path (in-path): packets pass through it, so that it can also drop, hold and rewrite. "
        f"It acts {when}."
    )


def _believes(ability: Ability) -> list[str]:
    tcp = ability.tcp
    makers = [_SEGMENTS[segment] for segment in Segment if segment in tcp.create]
    if tcp.mid_stream:
        makers.append("data of an unknown connection")
    known = (
        f"A TCP connection becomes known to it at {listed(makers)}"
        if makers
        else "No TCP connection becomes known to it"
    )
    said = [f"{known}, and it reads data {_HANDSHAKE[tcp.handshake]}."]
    where = {
        Sequence.ANY: "at any sequence number",
        Sequence.WINDOW: f"from the expected sequence number up to {bytes_text(ability.reassembly.window)} beyond",
        Sequence.EXACT: "at the expected sequence number alone",
    }
    moved = [_SEGMENTS[segment] for segment in Segment if segment in tcp.resynchronise]
    after_end = tcp.end_effect is EndEffect.RESYNCHRONISE
    more = f"; {listed(moved)} moves that number as it says" if moved and not after_end else ""
    said.append(f"It accepts data {where[tcp.sequence]}{more}.")
    enders = [_SEGMENTS[segment] for segment in Segment if segment in tcp.end]
    if enders:
        effect = _END_EFFECT.get(tcp.end_effect, "")
        if after_end:
            then = "segment" if len(moved) == len(Segment) else f"segment that is {listed(moved) or 'none'}"
            effect = f"makes it take the sequence number of the next {then} for the expected one"
        said.append(f"{_capital(listed(enders))} {_END_CHECK[tcp.end_check]} {effect}.")
    else:
        said.append("No segment ends a connection for it.")
    said.append(f"It forgets a connection that is silent for {time_text(tcp.idle_ns)}.")
    headers = {
        Header.ANY: "any TCP header, even a data offset below 5",
        Header.VALID: "valid TCP headers, with or without options",
        Header.PLAIN: "TCP headers of exactly 20 bytes: any option hides a packet from it",
    }
    sums = (
        "it does not believe packets with a wrong checksum"
        if ability.verify_checksums
        else "it does not check checksums"
    )
    said.append(f"It reads {headers[tcp.header]}; {sums}.")
    if ability.minimum_ttl:
        said.append(f"It does not believe packets with a TTL below {ability.minimum_ttl}.")
    if not ability.extension_headers:
        said.append("It does not read IPv6 packets with extension headers.")
    return said


def _joins(ability: Ability) -> list[str]:
    able = ability.reassembly
    segments = (
        f"joins TCP segments (up to {bytes_text(able.buffer)} of a message; {_OVERLAP[able.overlap]})"
        if able.segments
        else "reads each TCP segment alone"
    )
    records = "It joins" if able.records else "It does not join"
    said = [f"It {segments}.", f"{records} a TLS handshake message that comes in several records."]
    if able.fragments:
        said.append(
            f"It joins up to {able.max_fragments} IP fragments of a datagram and waits "
            f"{time_text(able.fragment_timeout_ns)} for them."
        )
    else:
        said.append("It does not join IP fragments.")
    return said


def _joins_quic(ability: Ability) -> list[str]:
    able = ability.reassembly
    frames = (
        "joins the CRYPTO frames of a QUIC packet, in any order and among other frames"
        if able.quic_frames
        else "reads a QUIC ClientHello in the first frame of a packet alone, whatever that frame's length says"
    )
    return [f"It {frames}.", f"It {'joins' if able.quic_datagrams else 'does not join'} QUIC datagrams."]


def _looks(ability: Ability) -> list[str]:
    inspect = ability.inspect
    sides = {
        frozenset({Direction.TO_SERVER}): "what clients send",
        frozenset({Direction.TO_CLIENT}): "what servers send",
        frozenset(Direction): "what both sides send",
    }
    limits = []
    if inspect.packets:
        limits.append(f"the first {inspect.packets} packets with payload of a flow")
    if inspect.bytes:
        limits.append(f"the first {bytes_text(inspect.bytes)} of a TCP direction")
    far = f", no further than {' and '.join(limits)}" if limits else ""
    said = [f"It looks into {sides[inspect.directions]}{far}."]
    if inspect.stranger:
        size = bytes_text(inspect.stranger)
        said.append(f"It loses interest in a TCP connection whose first payload has {size} or more and cannot be read.")
    return said


def bytes_text(count: int) -> str:
    """A size in full, as people count it."""
    return f"{count:,} bytes"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
