"""Forged packets in plain English."""

from __future__ import annotations

from middlebox.ability import DnsInjector, Draw, Injector, fixed
from middlebox.packet import ACK, RST
from middlebox.saying.forged import (
    dns_injector_about,
    dns_text,
    draw_text,
    injector_about,
    injector_text,
    reaction_text,
    toward_text,
)
from middlebox.verdict import Direction

GFW_II = Injector(
    name="gfw-ii",
    flags=RST | ACK,
    copies=3,
    ttl=Draw(39, 238),
    ip_id=Draw(163, 65_119),
    df=True,
    sequence=(0, 1460, -5),
)


def test_an_injector_in_place_tells_all_and_one_of_the_box_its_name() -> None:
    assert injector_text(GFW_II, known=False) == (
        "3 RST+ACK to each end at each of the sequence offsets 0, +1460 and -5 "
        "(TTL 39-238, IP ID 163-65119, DF set, window 0)"
    )
    assert injector_text(GFW_II, known=True).endswith("(gfw-ii)")
    assert injector_about(GFW_II) == (
        "Its injector gfw-ii makes segments with TTL 39-238, IP ID 163-65119, DF set, window 0."
    )


def test_odd_values_are_told() -> None:
    odd = Injector(
        name="tm",
        flags=RST,
        toward=frozenset({Direction.TO_CLIENT}),
        real_sequence=False,
        payload=bytes(range(20)),
        reaction_ns=fixed(2_000_000),
        gap_ns=1_000,
    )
    text = injector_text(odd, known=False)
    assert text.startswith("1 RST to the client (")
    assert "sequence numbers 0, 20 bytes of payload (000102030405060708090a0b0c0d0e0f... in hexadecimal)" in text
    assert text.endswith("1 us apart, 2 ms after the trigger)")
    assert toward_text(frozenset({Direction.TO_SERVER})) == "the server"


def test_answers_tell_what_they_say_and_what_they_do_not() -> None:
    one = DnsInjector(name="one", a=(bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])), authoritative=True, copies=2)
    assert dns_text(one, known=True) == "192.0.2.1 or 192.0.2.2 for A, nothing for AAAA (one)"
    about = dns_injector_about(one)
    assert "records for 60 s, DNS flags 0x8180 (0x8100 if recursion was not asked for), AA set, TTL 64" in about
    assert about.endswith("2 copies.")
    assert dns_text(DnsInjector(name="no", rcode=3), known=True) == "that the name does not exist (no)"
    assert dns_text(DnsInjector(name="no", rcode=5), known=True) == "error 5 (no)"


def test_numbers_of_headers() -> None:
    assert draw_text(Draw(1, 255, mirror=True)) == "as in the trigger"
    assert draw_text(Draw(0, 65_535)) == "at random"
    assert draw_text(fixed(7)) == "7"
    assert reaction_text(None) == ""
