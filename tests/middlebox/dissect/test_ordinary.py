"""False positives, counted: what dissectors of VPNs take for theirs of other traffic, and of each other's."""

from __future__ import annotations

import random
from collections import Counter
from typing import cast

import pytest

from middlebox.dissect import DISSECTORS
from middlebox.dissect.base import Reads, State
from middlebox.dissect.encrypted import FirstPayload, judge
from tests.middlebox.dissect.captured import DOWN, FOLDER, UP, WHOSE, Said, facts, flows, follow
from tests.middlebox.dissect.ordinary import LENGTHS, STARTS, datagrams, payloads

#: those that claim a flow; `encrypted` says something of any
CLAIMING = ("dtls", "ikev2", "openvpn", "ssh", "wireguard")
OVER_UDP = tuple(name for name in CLAIMING if "udp" in DISSECTORS[name].transports)
OVER_TCP = tuple(name for name in CLAIMING if "tcp" in DISSECTORS[name].transports)


def test_every_capture_has_an_owner() -> None:
    assert {path.stem for path in FOLDER.glob("*.pcap")} == set(WHOSE)


@pytest.mark.parametrize("name", sorted(WHOSE))
def test_each_dissector_claims_its_own_captures_and_none_of_the_others(name: str) -> None:
    claimed = {dissector for dissector in DISSECTORS if dissector != "encrypted" and facts(name, dissector=dissector)}
    assert claimed == {WHOSE[name]} - {"encrypted"}
    for flow in flows(name).values():  # and nobody claims a flow from its second packet on
        for dissector in CLAIMING:
            late = follow(dissector, flow[1:])
            assert not late or dissector == WHOSE[name]


def test_no_ordinary_datagram_is_claimed() -> None:
    """0 of 3,720."""
    claimed: Counter[tuple[str, str]] = Counter()
    count = 0
    for protocol, data in datagrams():
        count += 1
        for name in OVER_UDP:
            for way in (UP, DOWN):
                if follow(name, [Said(("udp", 1, 2), way, data)] * 3):
                    claimed[name, protocol] += 1
    assert count == 3_720
    assert not claimed


def test_no_conversation_of_ordinary_datagrams_is_claimed() -> None:
    """What comes second and third may be anything: 0 of 2,000 conversations."""
    chance = random.Random(3)
    every = [data for _, data in datagrams()]
    for _ in range(2_000):
        flow = [Said(("udp", 1, 2), chance.choice((UP, DOWN)), chance.choice(every)) for _ in range(6)]
        assert not any(follow(name, flow) for name in OVER_UDP)


def test_no_random_datagram_is_claimed() -> None:
    """0 of 12,000, of the lengths that a dissector would look at twice."""
    chance = random.Random(11)
    for _ in range(12_000):
        data = chance.randbytes(chance.choice(LENGTHS))
        for name in OVER_UDP:
            assert DISSECTORS[name].read(data, "udp", Reads()).state is not State.FOUND


def test_random_bytes_behind_a_known_beginning_are_claimed_by_wireguard_alone_and_at_its_lengths() -> None:
    """The one guess: 148 or 92 bytes behind the right four, which one in 2**32 chance datagrams has."""
    chance = random.Random(12)
    claimed: Counter[tuple[str, bytes, int]] = Counter()
    for _ in range(12_000):
        start, size = chance.choice(STARTS), chance.choice(LENGTHS)
        data = (start + chance.randbytes(size))[:size]
        claimed.update((name, start, size) for name in OVER_UDP if DISSECTORS[name].read(data, "udp", Reads()).fact)
    assert set(claimed) == {("wireguard", b"\x01\0\0\0", 148), ("wireguard", b"\x02\0\0\0", 92)}


def test_no_ordinary_first_payload_is_claimed() -> None:
    """0 of 457, whole, and cut anywhere in their first bytes."""
    count = 0
    for _, data in payloads():
        count += 1
        for name in OVER_TCP:
            for way in (UP, DOWN):
                assert not follow(name, [Said(("tcp", 1, 2), way, data)])
                assert not follow(name, [Said(("tcp", 1, 2), way, data[:3]), Said(("tcp", 1, 2), way, data[3:])])
    assert count == 457


def test_no_random_first_payload_is_claimed() -> None:
    chance = random.Random(13)
    for _ in range(20_000):
        data = chance.randbytes(chance.choice(LENGTHS))
        framed = len(data).to_bytes(2, "big") + chance.choice((b"\x38", b"\x40", b"\x50")) + data[1:]
        for name in OVER_TCP:
            assert DISSECTORS[name].read(data, "tcp", Reads()).state is not State.FOUND
            assert DISSECTORS[name].read(framed, "tcp", Reads()).state is not State.FOUND


def test_what_the_published_rule_takes_for_fully_encrypted_among_ordinary_payloads() -> None:
    """It has false positives by design: 0.6 % of connections (Wu et al.). Here 21 of 457."""
    struck: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for protocol, data in payloads():
        every[protocol] += 1
        struck[protocol] += judge(data).random
    assert {protocol: count for protocol, count in struck.items() if count} == {"bittorrent": 10, "short frames": 11}
    assert all(every[protocol] == 20 or protocol.startswith("tls") for protocol in every)
    assert all(cast(FirstPayload, one).random for one in facts("shadowsocks"))
