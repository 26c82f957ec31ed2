"""The register of protocols."""

from __future__ import annotations

import pytest

from middlebox.dissect import DISSECTORS, FIELDS, register
from middlebox.dissect.base import NOT_MINE, Field, Kind, Reading, Reads


class Gopher:
    """A protocol that reads nothing."""

    transports = frozenset({"tcp"})
    repeats = False
    claims = True

    def __init__(self, name: str, *fields: str) -> None:
        self.name = name
        self.fields = tuple(Field(name=one, kind=Kind.TEXT, about="", attribute="x") for one in fields)

    def follow(self, transport: str, reads: Reads) -> None:
        """Each message stands for itself."""

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        return NOT_MINE


def test_the_protocols_of_the_first_policies_are_there() -> None:
    assert set(DISSECTORS) >= {"tls", "http", "dns", "quic"}
    assert {name: DISSECTORS[name].transports for name in ("tls", "http", "dns", "quic")} == {
        "tls": {"tcp"},
        "http": {"tcp"},
        "dns": {"udp", "tcp"},
        "quic": {"udp"},
    }
    assert {name: DISSECTORS[name].repeats for name in ("tls", "http", "dns")} == {
        "tls": False,
        "http": True,
        "dns": True,
    }


def test_fields_have_the_promised_types() -> None:
    told = {
        name: field.kind.name for name, field in FIELDS.items() if name.split(".")[0] in ("tls", "http", "dns", "quic")
    }
    assert told == {
        "tls.sni": "NAME",
        "tls.alpn": "TEXTS",
        "tls.version": "TEXTS",
        "tls.extension": "NUMBERS",
        "tls.cipher": "NUMBERS",
        "tls.ech": "FLAG",
        "tls.esni": "FLAG",
        "tls.ja3": "TEXT",
        "tls.ja4": "TEXT",
        "http.method": "TEXT",
        "http.host": "NAME",
        "http.target": "TEXT",
        "http.version": "TEXT",
        "http.header": "TEXTS",
        "http.user_agent": "TEXT",
        "dns.name": "NAME",
        "dns.type": "TEXT",
        "dns.questions": "NUMBER",
        "quic.version": "TEXT",
        "quic.initial": "FLAG",
        "quic.dcid_length": "NUMBER",
        "quic.sni": "NAME",
        "quic.alpn": "TEXTS",
        "quic.ech": "FLAG",
        "quic.ja3": "TEXT",
        "quic.ja4": "TEXT",
    }


def test_fields_on_vpns_have_the_promised_types() -> None:
    vpns = ("wireguard", "openvpn", "ikev2", "ssh", "dtls", "encrypted")
    told: dict[str, set[str]] = {}
    for name, field in FIELDS.items():
        if name.split(".")[0] in vpns:
            told.setdefault(field.kind.name, set()).add(name)
            assert field.noun, name
    assert told == {
        "FLAG": {
            *("wireguard.handshake", "openvpn.handshake", "openvpn.wrapped", "ikev2.handshake", "ikev2.initiator"),
            *("ikev2.response", "dtls.hello", "dtls.cookie", "encrypted.random", "encrypted.known"),
        },
        "NUMBER": {
            *("wireguard.data_packets", "wireguard.data_bytes", "openvpn.data_packets", "openvpn.control_packets"),
            *("ikev2.esp_packets", "encrypted.bits", "encrypted.printable_prefix", "encrypted.printable_share"),
            "encrypted.printable_run",
        },
        "TEXT": {
            *("wireguard.message", "openvpn.message", "ikev2.message", "ssh.banner", "ssh.software", "ssh.version"),
            *("dtls.ja3", "dtls.ja4"),
        },
        "TEXTS": {"dtls.alpn", "dtls.version"},
        "NUMBERS": {"dtls.extension", "dtls.cipher"},
        "NAME": {"dtls.sni"},
    }


@pytest.mark.parametrize(
    ("dissector", "message"),
    [
        (Gopher("tls"), "dissector 'tls' is registered twice"),
        (Gopher("gopher", "gopher.a", "gopher.a"), r"field 'gopher\.a' is registered twice"),
        (Gopher("gopher", "tls.sni"), r"field 'tls\.sni' of dissector 'gopher' must be named 'gopher\.WORD'"),
    ],
)
def test_a_name_that_is_taken_is_refused_and_nothing_changes(dissector: Gopher, message: str) -> None:
    before = (dict(DISSECTORS), dict(FIELDS))
    with pytest.raises(ValueError, match=message):
        register(dissector)
    after = (DISSECTORS, FIELDS)
    assert after == before
