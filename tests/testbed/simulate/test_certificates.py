"""Certificates that are the same in every run."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from testbed.simulate.certificates import authority_pem, site_pem


def test_a_site_is_certified_by_the_authority_for_its_names_and_addresses() -> None:
    authority = x509.load_pem_x509_certificate(authority_pem().encode())
    site = x509.load_pem_x509_certificate(site_pem(("blocked.example",), ("203.0.113.10",)).encode())
    site.verify_directly_issued_by(authority)
    assert isinstance(site.public_key(), Ed25519PublicKey)
    names = site.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["blocked.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["203.0.113.10"]


def test_they_are_the_same_whenever_they_are_made() -> None:
    before = (authority_pem(), site_pem(("a.example",)))
    authority_pem.cache_clear()
    site_pem.cache_clear()
    assert (authority_pem(), site_pem(("a.example",))) == before
    assert site_pem(("b.example",)) != before[1]


def test_browsers_get_one_of_rsa() -> None:
    authority = x509.load_pem_x509_certificate(authority_pem().encode())
    site = x509.load_pem_x509_certificate(site_pem(("blocked.example",), for_browsers=True).encode())
    site.verify_directly_issued_by(authority)
    key = site.public_key()
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 2_048
