"""Fingerprints of a ClientHello: JA3 and JA4.

Sources: JA3, "TLS Fingerprinting with JA3 and JA3S" (Salesforce, 2017, and its README); JA4, FoxIO's technical
description "JA4: TLS Client Fingerprinting" (2023). Nothing here reads bytes off the wire, and nothing is kept:
whoever asks pays for the hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5, sha256

#: the values that RFC 8701 reserves for GREASE in lists of 16-bit numbers: 0x0a0a, 0x1a1a, ... 0xfafa
GREASE = frozenset(0x0A0A + 0x1010 * step for step in range(16))

_SNI = 0
_ALPN = 16
#: JA4's words for versions
_VERSIONS = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
}
_EMPTY = "000000000000"


def ja3_text(
    version: int,
    ciphers: Iterable[int],
    extensions: Iterable[int],
    groups: Iterable[int],
    point_formats: Iterable[int],
) -> str:
    """The text that JA3 hashes: legacy version and four lists in the order of the wire, without GREASE."""
    lists = (ciphers, extensions, groups)
    joined = ["-".join([str(one) for one in numbers if one not in GREASE]) for numbers in lists]
    return f"{version},{','.join(joined)},{'-'.join([str(one) for one in point_formats])}"


def ja3(
    version: int,
    ciphers: Iterable[int],
    extensions: Iterable[int],
    groups: Iterable[int],
    point_formats: Iterable[int],
) -> str:
    """JA3: MD5 of `ja3_text`, 32 hexadecimal digits."""
    text = ja3_text(version, ciphers, extensions, groups, point_formats)
    return md5(text.encode("ascii"), usedforsecurity=False).hexdigest()


def ja4(
    transport: str,
    versions: Iterable[int],
    ciphers: Iterable[int],
    extensions: Iterable[int],
    first_alpn: bytes,
    signature_algorithms: Iterable[int],
) -> str:
    """JA4, as in "t13d1516h2_8daaf6152771_e5627efa2ab1".

    `transport` is "t" for TCP, "q" for QUIC; `versions` is what the client offers (supported_versions,
    or the legacy version if that extension is absent); `first_alpn` is empty if there is none.
    """
    offered = [one for one in ciphers if one not in GREASE]
    present = [one for one in extensions if one not in GREASE]
    hashed = sorted([f"{one:04x}" for one in present if one != _SNI and one != _ALPN])
    start = (
        f"{transport}{_version(versions)}{'d' if _SNI in present else 'i'}"
        f"{min(len(offered), 99):02d}{min(len(present), 99):02d}{_alpn(first_alpn)}"
    )
    schemes = ",".join([f"{one:04x}" for one in signature_algorithms if one not in GREASE])
    text = ",".join(hashed)
    if schemes:
        text = f"{text}_{schemes}"
    return f"{start}_{_hash(','.join(sorted([f'{one:04x}' for one in offered])))}_{_hash(text if hashed else '')}"


def _version(versions: Iterable[int]) -> str:
    """The highest version."""
    real = [one for one in versions if one not in GREASE]
    return _VERSIONS.get(max(real), "00") if real else "00"


def _alpn(value: bytes) -> str:
    """First and last character of the first ALPN value; of its hexadecimal form if either is not alphanumeric."""
    if not value:
        return "00"
    ends = bytes((value[0], value[-1]))
    if ends.isalnum():  # of bytes: ASCII letters and digits only
        return ends.decode("ascii")
    digits = value.hex()
    return digits[0] + digits[-1]


def _hash(text: str) -> str:
    """The first 12 hexadecimal digits of SHA-256; zeros for nothing."""
    return sha256(text.encode("ascii")).hexdigest()[:12] if text else _EMPTY
