"""STUN by the vectors of RFC 5769; RTP and RTCP by their layouts in RFC 3550, and there and back."""

from __future__ import annotations

import random

import pytest

from testbed.calls.packets import (
    REQUEST,
    SUCCESS,
    Block,
    Report,
    Rtp,
    Stun,
    middle,
    read_rtcp,
    read_rtp,
    read_stun,
    rtcp,
    rtp,
    stun,
)

IDENT = bytes.fromhex("b7e7a701bc34d686fa87dfae")
#: RFC 5769, 2.2 and 2.3
ANSWERS = {
    "192.0.2.1": "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
    "2001:db8:1234:5678:11:2233:4455:6677": "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
}


@pytest.mark.parametrize(("address", "data"), ANSWERS.items())
def test_the_answers_of_rfc_5769_are_read(address: str, data: str) -> None:
    assert read_stun(bytes.fromhex(data)) == Stun(SUCCESS, IDENT, (address, 32_853))


@pytest.mark.parametrize("mapped", [None, ("192.0.2.1", 32_853), ("2001:db8::7", 1)])
def test_stun_there_and_back(mapped: tuple[str, int] | None) -> None:
    message = Stun(SUCCESS if mapped else REQUEST, IDENT, mapped)
    made = stun(message)
    assert read_stun(made) == message
    assert made[:2] == (b"\x01\x01" if mapped else b"\x00\x01")
    assert int.from_bytes(made[2:4], "big") == len(made) - 20
    if mapped is None:
        assert len(made) == 28


def test_what_is_damaged_is_no_stun() -> None:
    made = bytearray(stun(Stun(SUCCESS, IDENT, ("192.0.2.1", 1))))
    fingerprint = len(made) - 8
    for at in (*range(fingerprint), *range(fingerprint + 2, len(made))):  # with another name it is none
        damaged = bytearray(made)
        damaged[at] ^= 0x55
        assert read_stun(bytes(damaged)) is None, at


def test_rtp_has_its_layout() -> None:
    made = rtp(Rtp(0x12345, 0x1_0000_0007, 0xAABBCCDD, b"voice"))
    assert made == bytes.fromhex("806f2345 00000007 aabbccdd") + b"voice"
    assert read_rtp(made) == Rtp(0x2345, 7, 0xAABBCCDD, b"voice")
    assert read_rtp(b"\x80\xc8" + made[2:]) is None


def test_a_sender_report_has_its_layout() -> None:
    block = Block(source=2, lost_256=64, lost=-1, highest=0x1_0003, jitter=48, last=middle(10.5), since=65_536)
    made = rtcp(Report(1, 10.5, 480_000, 500, 45_000, block))
    assert made[:8] == bytes.fromhex("81c8000c 00000001")
    # NTP counts from 1900; half a second is half of 2**32
    assert made[8:16] == (2_208_988_810).to_bytes(4, "big") + bytes.fromhex("80000000")
    assert made[28:36] == bytes.fromhex("00000002 40ffffff")
    assert made[10:14] == block.last.to_bytes(4, "big")  # the middle of that time
    assert read_rtcp(made) == Report(1, 10.5, 480_000, 500, 45_000, block)


@pytest.mark.parametrize("bye", [False, True])
@pytest.mark.parametrize("packets", [0, 7])
def test_reports_there_and_back(packets: int, bye: bool) -> None:
    block = Block(source=9, lost_256=0, lost=3, highest=5, jitter=0, last=0, since=0)
    for one in (None, block):
        report = Report(4, 2.25 if packets else 0.0, 96_000 if packets else 0, packets, 630 if packets else 0, one, bye)
        assert read_rtcp(rtcp(report)) == report


def test_any_bytes_are_read_without_an_error() -> None:
    chance = random.Random(1)
    whole = [stun(Stun(REQUEST, IDENT)), rtp(Rtp(1, 2, 3, b"x")), rtcp(Report(1, 1.0, 1, 1, 1, None, True))]
    for data in [*whole, *(chance.randbytes(chance.randrange(80)) for _ in range(2_000))]:
        for end in range(len(data)):
            for read in (read_stun, read_rtp, read_rtcp):
                read(data[:end])
