"""Certificates of the lab's authority, judged by OpenSSL through Python's ssl module."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from testbed.emulate.trust import VARIABLES, Authority, bundle, environment


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make()


def handshake(authority: Authority, tmp_path: Path, names: list[str], addresses: list[str], asked: str) -> str:
    """What a client that trusts the authority finds when it asks for a name; "" if all is well."""
    (tmp_path / "leaf.pem").write_bytes(authority.certify(names, addresses))
    (tmp_path / "leaf.key").write_bytes(authority.site_key_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "leaf.pem", tmp_path / "leaf.key")
    client = ssl.create_default_context(cadata=authority.pem().decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    a, b = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(a, server_side=True) as secure:
                secure.recv(1)
        except OSError:
            a.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(b, server_hostname=asked):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        b.close()
        thread.join()


def test_a_site_is_trusted_under_its_own_name_only(authority: Authority, tmp_path: Path) -> None:
    assert handshake(authority, tmp_path, ["blocked.example"], [], "blocked.example") == ""
    assert "mismatch" in handshake(authority, tmp_path, ["blocked.example"], [], "innocent.example")


def test_an_address_is_trusted_without_a_name(authority: Authority, tmp_path: Path) -> None:
    assert handshake(authority, tmp_path, [], ["203.0.113.10", "2001:db8:203::10"], "203.0.113.10") == ""
    assert handshake(authority, tmp_path, [], ["203.0.113.10", "2001:db8:203::10"], "2001:db8:203::10") == ""


def test_another_labs_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    other = Authority.make()
    other.certificate, kept = authority.certificate, other.certificate
    assert handshake(other, tmp_path, ["blocked.example"], [], "blocked.example") != ""
    assert kept.serial_number != authority.certificate.serial_number


def test_the_bundle_holds_the_labs_authority_beside_the_hosts(authority: Authority) -> None:
    assert bundle(authority).endswith(authority.pem())


def test_every_variable_points_to_the_bundle() -> None:
    assert environment("/b.pem") == dict.fromkeys(VARIABLES, "/b.pem")
