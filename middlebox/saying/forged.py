"""Forged packets in plain English: how many, to whom, and what their headers say."""

from __future__ import annotations

from middlebox.ability import DnsInjector, Draw, Injector
from middlebox.grammar.headers import flags_text
from middlebox.grammar.problem import listed
from middlebox.grammar.units import time_text, times_text
from middlebox.packet import address_text
from middlebox.verdict import Direction


def draw_text(draw: Draw) -> str:
    """A header's number."""
    if draw.mirror:
        return "as in the trigger"
    if (draw.low, draw.high) == (0, 65_535):
        return "at random"
    return str(draw.low) if draw.fixed else f"{draw.low}-{draw.high}"


def reaction_text(reaction: Draw | None) -> str:
    """When it comes, if that is not the box's own reaction time."""
    return "" if reaction is None else f", {times_text(reaction)} after the trigger"


def packet_text(injector: Injector | DnsInjector) -> str:
    """The IP header of its packets."""
    return f"TTL {draw_text(injector.ttl)}, IP ID {draw_text(injector.ip_id)}, DF {'set' if injector.df else 'not set'}"


def toward_text(toward: frozenset[Direction]) -> str:
    if len(toward) == len(Direction):
        return "each end"
    return "the client" if Direction.TO_CLIENT in toward else "the server"


def injector_text(injector: Injector, *, known: bool) -> str:
    """What one injector of TCP segments sends; `known`: its other values were told before."""
    offsets = [f"{offset:+}" if offset else "0" for offset in injector.sequence]
    series = "" if injector.sequence == (0,) else f" at each of the sequence offsets {listed(offsets, 'and')}"
    about = injector.name if known else _values(injector)
    return f"{injector.copies} {flags_text(injector.flags)} to {toward_text(injector.toward)}{series} ({about})"


def injector_about(injector: Injector) -> str:
    """One of the box's own injectors, as a sentence."""
    return f"Its injector {injector.name} makes segments with {_values(injector)}."


def _values(injector: Injector) -> str:
    gap = f", {time_text(injector.gap_ns)} apart" if injector.gap_ns else ""
    numbers = "" if injector.real_sequence else ", sequence numbers 0"
    payload = ""
    if injector.payload:
        shown = injector.payload[:16].hex() + ("..." if len(injector.payload) > 16 else "")
        payload = f", {len(injector.payload)} bytes of payload ({shown} in hexadecimal)"
    return (
        f"{packet_text(injector)}, window {draw_text(injector.window)}{numbers}{payload}{gap}"
        f"{reaction_text(injector.reaction_ns)}"
    )


def dns_text(injector: DnsInjector, *, known: bool) -> str:
    """What one injector of DNS answers says; `known`: its other values were told before."""
    if injector.rcode:
        says = "that the name does not exist" if injector.rcode == 3 else f"error {injector.rcode}"
    else:
        pools = [("A", injector.a), ("AAAA", injector.aaaa)]
        told = [f"{listed([address_text(one) for one in pool])} for {kind}" for kind, pool in pools if pool]
        silent = [kind for kind, pool in pools if not pool]
        says = " and ".join(told) + (f", nothing for {listed(silent)}" if silent else "")
    return f"{says} ({injector.name if known else _dns_values(injector)})"


def dns_injector_about(injector: DnsInjector) -> str:
    """One of the box's own DNS injectors, as a sentence."""
    return f"Its DNS injector {injector.name} makes answers with {_dns_values(injector)}."


def _dns_values(injector: DnsInjector) -> str:
    word = "0x8180 (0x8100 if recursion was not asked for)" if injector.flags is None else f"{injector.flags:#06x}"
    aa = ", AA set" if injector.authoritative else ""
    copies = f", {injector.copies} copies" if injector.copies > 1 else ""
    gap = f", {time_text(injector.gap_ns)} apart" if injector.gap_ns else ""
    return (
        f"records for {injector.answer_ttl} s, DNS flags {word}{aa}, {packet_text(injector)}{copies}{gap}"
        f"{reaction_text(injector.reaction_ns)}"
    )
