"""Keys and removal of protection, against the RFCs' own examples and another library's HKDF."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.quic_packet import long_header
from middlebox.dissect.quic_protection import InitialKeys
from tests.middlebox.dissect.quic_made import DCID, RFC_FRAME, V1, V2, client_secret, initial, keys_of

#: RFC 9001, A.2 and RFC 9369, A.2: the first 32 and the last 48 bytes of the protected packet, its tag among them
PRINTED = {
    V1: (
        "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
        "7e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934",
    ),
    V2: (
        "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
        "9a37ddec600545473cfb5a05e08d0b209973b2172b4d21fb69745a262ccde96ba18b2faa745b6fe189cf772a9f84cbfc",
    ),
}
#: RFC 9001, A.1 and RFC 9369, A.1: key, IV, header protection key of the client
KEYS = {
    V1: ("1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"),
    V2: ("8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"),
}


def opened(data: bytes, keys: InitialKeys) -> bytes | None:
    header = long_header(data, 0)
    assert header is not None
    return keys.open(data, 0, header.number_at, header.end)


@pytest.mark.parametrize("version", [V1, V2])
def test_the_initials_of_the_rfcs_are_opened(version: int) -> None:
    packet = initial(RFC_FRAME, version=version, packet=2, number_length=4, size=1200)
    begin, end = PRINTED[version]
    assert (packet[:32].hex(), packet[-48:].hex()) == (begin, end), "these tests protect a packet as the RFC does"
    assert tuple(part.hex() for part in keys_of(version, DCID)) == KEYS[version]
    assert opened(packet, InitialKeys(version, DCID)) == RFC_FRAME.ljust(1162, b"\x00")


def test_the_secret_of_these_tests_is_that_of_the_rfc() -> None:
    assert client_secret(V1, DCID).hex() == "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"


@settings(deadline=None, max_examples=60)
@given(
    version=st.sampled_from([V1, V2]),
    dcid=st.binary(max_size=20),
    token=st.binary(max_size=80),
    frames=st.binary(min_size=1, max_size=1200),
    length=st.integers(1, 4),
    data=st.data(),
)
def test_whatever_was_protected_is_opened(
    version: int, dcid: bytes, token: bytes, frames: bytes, length: int, data: st.DataObject
) -> None:
    packet = data.draw(st.integers(0, 256**length - 1))
    sealed = initial(frames, version=version, dcid=dcid, token=token, packet=packet, number_length=length)
    plain = opened(sealed, InitialKeys(version, dcid))
    assert plain is not None
    assert plain.rstrip(b"\x00") == frames.rstrip(b"\x00")


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_one_wrong_bit_and_the_tag_is_wrong(data: st.DataObject) -> None:
    packet = bytearray(initial(RFC_FRAME, size=300))
    header = long_header(bytes(packet), 0)
    assert header is not None
    at = data.draw(st.integers(header.number_at, len(packet) - 1))
    packet[at] ^= 1 << data.draw(st.integers(0, 7))
    assert InitialKeys(V1, DCID).open(bytes(packet), 0, header.number_at, header.end) is None


def test_other_keys_open_nothing() -> None:
    packet = initial(RFC_FRAME)
    assert opened(packet, InitialKeys(V1, DCID[:-1])) is None
    assert opened(packet, InitialKeys(V2, DCID)) is None


@pytest.mark.parametrize("end", range(18, 40))
def test_a_packet_too_short_for_its_sample_is_none(end: int) -> None:
    packet = initial(RFC_FRAME)
    assert InitialKeys(V1, DCID).open(packet, 0, 18, end) is None


def test_a_version_without_a_salt_has_no_keys() -> None:
    with pytest.raises(KeyError):
        InitialKeys(0xFF00001D, DCID)
