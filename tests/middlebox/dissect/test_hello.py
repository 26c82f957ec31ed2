"""What a ClientHello tells: recorded ones against scapy's reading, and the grammar of RFC 8446 by hand."""

from __future__ import annotations

import pytest
from scapy.layers.tls.handshake import TLSClientHello

from middlebox.dissect.base import Reads, State
from middlebox.dissect.hello import ClientHello, parse_hello
from middlebox.dissect.ja import GREASE
from middlebox.dissect.tls import DISSECTOR
from tests.middlebox.dissect.recorded import HELLOS, body, extension, message, names


def parsed(sent: bytes) -> ClientHello:
    """The fact of a hello's body, which stands in the middle of other bytes."""
    hello = parse_hello(b"\xff" * 7 + sent + b"\xff" * 7, 7, 7 + len(sent))
    assert hello is not None
    return hello


def told(data: bytes) -> dict[str, object]:
    """All fields but the fingerprints."""
    hello = parsed(data[9:])
    return {field.name: field.get(hello) for field in DISSECTOR.fields if ".ja" not in field.name}


@pytest.mark.parametrize("name", HELLOS)
def test_a_recorded_hello_reads_as_scapy_reads_it(name: str) -> None:
    data = HELLOS[name]
    oracle = TLSClientHello(data[5:])  # type: ignore[no-untyped-call]
    extensions = {one.type: one for one in oracle.ext}
    hello = parsed(data[9:])
    assert hello.length == len(data) - 5
    assert hello.legacy_version == oracle.version
    assert hello.ciphers == tuple(oracle.ciphers)
    assert hello.extensions == tuple(one.type for one in oracle.ext)
    assert hello.groups == tuple(extensions[10].groups)
    assert hello.signature_algorithms == tuple(extensions[13].sig_algs)
    assert hello.point_formats == (tuple(extensions[11].ecpl) if 11 in extensions else None)
    assert hello.supported_versions == (tuple(extensions[43].versions) if 43 in extensions else None)
    assert hello.alpn_raw == (tuple(one.protocol for one in extensions[16].protocols) if 16 in extensions else None)
    assert hello.sni_raw == (extensions[0].servernames[0].servername if 0 in extensions else None)
    assert hello.sni == (None if name == "python-no-sni" else "blocked.example")
    assert hello.ech == (0xFE0D in extensions)


def test_fields_of_a_recorded_browser_are_what_it_is_known_to_send() -> None:
    fields = told(HELLOS["chrome133a"])
    assert fields["tls.sni"] == "blocked.example"
    assert fields["tls.alpn"] == ("h2", "http/1.1")
    assert fields["tls.version"] == ("1.3", "1.2")
    assert fields["tls.ech"] is True
    assert fields["tls.esni"] is False
    ciphers = fields["tls.cipher"]
    assert isinstance(ciphers, tuple)
    assert ciphers[0] in GREASE
    assert ciphers[1:4] == (0x1301, 0x1302, 0x1303)


def test_a_client_without_supported_versions_offers_its_legacy_version() -> None:
    assert told(HELLOS["python-tls12"])["tls.version"] == ("1.2",)
    assert told(HELLOS["python-tls13"])["tls.version"] == ("1.3",)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (body(rest=b"\x00"), "a byte after the extensions"),
        (body()[:-1], "half an extensions length"),
        (body(session=bytes(33)), "a session ID over 32 bytes"),
        (body(ciphers=b""), "no cipher"),
        (body(ciphers=b"\x13\x01\x13"), "half a cipher"),
        (b"\x02" + body()[1:], "no version of TLS"),
        (body()[:39] + b"\x00\x00\x00", "no compression method"),
        (body(b"\x00\x01\x00"), "half an extension header"),
        (body(b"\x00\x01\x00\x05\x00"), "an extension longer than the block"),
    ],
)
def test_a_hello_whose_lengths_do_not_add_up_is_none(broken: bytes, why: str) -> None:
    assert parse_hello(broken, 0, len(broken)) is None, why
    assert DISSECTOR.read(message(broken), "tcp", Reads()).state is State.NOT_MINE, why


def test_a_hello_may_end_before_its_extensions() -> None:
    hello = parsed(body()[:-2])
    assert hello.extensions == ()
    assert hello.sni is None
    assert hello.version_words == ("1.2",)


@pytest.mark.parametrize(
    ("sent", "sni"),
    [
        (names((0, b"Blocked.EXAMPLE.")), "blocked.example"),
        (names((0, b"first.example"), (0, b"second.example")), "first.example"),
        (names((7, b"\x00\x01"), (0, b"blocked.example")), "blocked.example"),
        (names((0, "bücher.example".encode())), "bücher.example".encode().decode("latin-1")),
        (names((0, b"\xc9\x80\x00")), "\xc9\x80\x00"),  # bytes that are not ASCII stay as they are
        (names((0, b"")), None),
        (names((7, b"x")), None),
        (names(), None),
        (extension(0, b""), None),
        (extension(0, b"\x00\x09\x00\x00\x0fblocked.example"), None),
        (extension(0, b"\x00\x12\x00\x00\xffblocked.example"), None),
        (names((0, b"one.example")) + names((0, b"two.example")), "one.example"),
    ],
)
def test_the_server_name_is_the_first_host_name_in_lower_case(sent: bytes, sni: str | None) -> None:
    hello = parsed(body(sent))
    assert hello.sni == sni
    assert 0 in hello.extensions


def test_the_raw_server_name_is_kept_as_sent() -> None:
    assert parsed(body(names((0, b"Blocked.EXAMPLE.")))).sni_raw == b"Blocked.EXAMPLE."


@pytest.mark.parametrize("number", [10, 11, 13, 16, 43])
@pytest.mark.parametrize(
    "junk", [b"", b"\x00", b"\x00\x00", b"\x07\x00", b"\x00\x03\x00\x01\x02", b"\x00\x05\xff\x01\x02\x03"]
)
def test_an_extension_that_does_not_parse_counts_as_sent_and_tells_nothing(number: int, junk: bytes) -> None:
    hello = parsed(body(extension(number, junk), names((0, b"blocked.example"))))
    assert hello.extensions == (number, 0)
    assert hello.sni == "blocked.example"
    told_by = {
        10: hello.groups,
        11: hello.point_formats,
        13: hello.signature_algorithms,
        16: hello.alpn_raw,
        43: hello.supported_versions,
    }
    assert told_by[number] is None
    assert len(hello.ja3) == 32


def test_grease_is_no_version_and_unknown_versions_are_numbers() -> None:
    versions = extension(43, b"\x08\x7a\x7a\x03\x04\x7f\x1c\x03\x00")
    assert parsed(body(versions)).version_words == ("1.3", "0x7f1c", "ssl3")


def test_esni_and_ech_are_told_apart() -> None:
    old = parsed(body(extension(0xFFCE, b"x")))
    new = parsed(body(extension(0xFE0D, b"x")))
    assert (old.esni, old.ech) == (True, False)
    assert (new.esni, new.ech) == (False, True)
