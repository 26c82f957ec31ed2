"""What certificates say; that the labs' own hold, test_trust and test_certificates show."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from testbed.certified import named, of_authority, of_site


def _builder(key: Ed25519PrivateKey, subject: str) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named("authority"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2025, 1, 1))
        .not_valid_after(datetime.datetime(2026, 1, 1))
    )


def test_an_authority_signs_and_a_site_serves_and_neither_does_the_others_work() -> None:
    ours, theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    authority = of_authority(_builder(ours, "authority"), ours.public_key()).sign(ours, None)
    made = of_site(
        _builder(theirs, "a.example"),
        ["a.example"],
        ["2001:db8::1"],
        theirs.public_key(),
        signer=ours.public_key(),
    ).sign(ours, None)
    made.verify_directly_issued_by(authority)
    for one, signs in ((authority, True), (made, False)):
        assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is signs
        assert one.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is signs
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["2001:db8::1"]


def test_a_long_name_is_cut_to_what_a_subject_may_have() -> None:
    assert named("a" * 70).rfc4514_string() == "CN=" + "a" * 64
