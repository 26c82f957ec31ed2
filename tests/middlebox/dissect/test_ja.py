"""JA3 and JA4 against their publishers' examples, and against what is published of the recorded clients."""

from __future__ import annotations

import hashlib

import pytest
from scapy.layers.tls.handshake import TLSClientHello

from middlebox.dissect.base import Reads, State
from middlebox.dissect.hello import ClientHello
from middlebox.dissect.ja import GREASE, ja3, ja3_text, ja4
from middlebox.dissect.tls import DISSECTOR
from tests.middlebox.dissect.recorded import HELLOS


def numbers(text: str, base: int = 16) -> list[int]:
    return [int(one, base) for one in text.replace("-", ",").split(",") if one]


def hello(name: str) -> ClientHello:
    answer = DISSECTOR.read(HELLOS[name], "tcp", Reads())
    assert answer.state is State.FOUND
    assert isinstance(answer.fact, ClientHello)
    return answer.fact


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (
            "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
            "ada70206e40642a3e4461f35503241d5",
        ),
        ("769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6"),
    ],
)
def test_the_examples_of_ja3s_readme(text: str, digest: str) -> None:
    version, *lists = text.split(",")
    ciphers, extensions, groups, formats = (numbers(one, 10) for one in lists)
    assert ja3_text(int(version), ciphers, extensions, groups, formats) == text
    assert ja3(int(version), ciphers, extensions, groups, formats) == digest


def test_grease_is_the_sixteen_values_of_rfc_8701() -> None:
    assert sorted(GREASE) == [0x0A0A + 0x1010 * step for step in range(16)]
    assert {0x0A0A, 0x1A1A, 0xFAFA} <= GREASE


def test_grease_leaves_ja3_as_it_was() -> None:
    plain = ja3_text(771, [4865], [0, 10], [29], [0])
    assert ja3_text(771, [0x0A0A, 4865], [0x1A1A, 0, 10, 0xFAFA], [0x2A2A, 29], [0]) == plain == "771,4865,0-10,29,0"


# the example in FoxIO's technical description of JA4, in the order of the wire
CIPHERS = numbers("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035")
EXTENSIONS = numbers("001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015")
SCHEMES = numbers("0403,0804,0401,0503,0805,0501,0806,0601")


def test_the_example_of_ja4s_description() -> None:
    assert ja4("t", [0x0304, 0x0303], CIPHERS, EXTENSIONS, b"h2", SCHEMES) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert ja4("t", [0x0304], CIPHERS, EXTENSIONS, b"h2", []) == "t13d1516h2_8daaf6152771_6d807ffa2a79"


def test_grease_leaves_ja4_as_it_was() -> None:
    greased = ja4(
        *("t", [0x3A3A, 0x0304], [0x0A0A, *CIPHERS], [0xEAEA, *EXTENSIONS, 0x5A5A], b"h2", [0x1A1A, *SCHEMES])
    )
    assert greased == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("alpn", "ends"),
    [
        (b"", "00"),
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"x", "xx"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"\x30\xab", "3b"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
    ],
)
def test_the_alpn_examples_of_ja4s_description(alpn: bytes, ends: str) -> None:
    assert ja4("t", [0x0304], CIPHERS, EXTENSIONS, alpn, SCHEMES)[8:10] == ends


@pytest.mark.parametrize(
    ("versions", "word"),
    [
        ([0x0304, 0x0303], "13"),
        ([0x0303], "12"),
        ([0x0301, 0x0302], "11"),
        ([0x0301], "10"),
        ([0x0300], "s3"),
        ([0x0399], "00"),
        ([0x0A0A], "00"),
        ([], "00"),
    ],
)
def test_the_version_is_the_highest_one(versions: list[int], word: str) -> None:
    assert ja4("t", versions, CIPHERS, EXTENSIONS, b"", SCHEMES)[1:3] == word


def test_counts_stop_at_99_and_empty_lists_hash_to_zeros() -> None:
    assert ja4("q", [0x0304], [], [], b"", []) == "q13i000000_000000000000_000000000000"
    assert ja4("t", [0x0304], range(1, 200), range(100, 300), b"", []).startswith("t13i999900_")
    assert ja4("t", [0x0304], [], [0, 16], b"", SCHEMES) == "t13d000200_000000000000_000000000000"


# found for these clients in public databases of fingerprints and in the tests of other implementations
@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("safari155", "773906b0efdefa24a7f2b8eb6985bf37"),
        ("firefox133", "2d692a4485ca2f5f2b10ecb2d2909ad3"),
        ("firefox144", "6f7889b9fb1a62a9577e685c1fcfa919"),
        ("curl", "0149f47eabf9a20d0893e2a44e5a6323"),
        ("openssl-default", "a3afc2c46ba4a7d7fbe1cfb7a3031c2f"),
    ],
)
def test_ja3_of_a_recorded_client_is_the_published_one(name: str, digest: str) -> None:
    assert hello(name).ja3 == digest


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("chrome120", "t13d1517h2_8daaf6152771_b1ff8ab2d16f"),
        ("chrome133a", "t13d1516h2_8daaf6152771_d8a2da3f94cd"),
        ("firefox144", "t13d1717h2_5b57614c22b0_3cbfd9057e0d"),
        ("safari155", "t13d2014h2_a09f3c656075_14788d8d241b"),
        ("safari184", "t13d2014h2_a09f3c656075_e42f34c56612"),
        ("curl", "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"),
    ],
)
def test_ja4_of_a_recorded_client_is_the_published_one(name: str, fingerprint: str) -> None:
    assert hello(name).ja4 == fingerprint


@pytest.mark.parametrize("name", HELLOS)
def test_both_agree_with_what_scapy_reads(name: str) -> None:
    oracle = TLSClientHello(HELLOS[name][5:])  # type: ignore[no-untyped-call]
    sent = {one.type: one for one in oracle.ext}

    def real(values: list[int]) -> list[int]:
        return [one for one in values if not (one & 0x0F0F == 0x0A0A and one >> 8 == one & 0xFF)]

    def joined(values: list[int]) -> str:
        return "-".join(map(str, values))

    formats = list(sent[11].ecpl) if 11 in sent else []
    text = ",".join(
        [
            str(oracle.version),
            joined(real(oracle.ciphers)),
            joined(real([one.type for one in oracle.ext])),
            joined(real(sent[10].groups)),
            joined(formats),
        ]
    )
    assert hello(name).ja3 == hashlib.md5(text.encode()).hexdigest()

    def short(values: str) -> str:
        return hashlib.sha256(values.encode()).hexdigest()[:12]

    ciphers = ",".join(sorted(f"{one:04x}" for one in real(oracle.ciphers)))
    others = ",".join(sorted(f"{one:04x}" for one in real(list(sent)) if one not in (0, 16)))
    schemes = ",".join(f"{one:04x}" for one in sent[13].sig_algs)
    assert hello(name).ja4.split("_")[1:] == [short(ciphers), short(f"{others}_{schemes}")]
