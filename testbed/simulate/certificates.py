"""The simulated sites' certificates: Ed25519, so that signatures have one length, and the same bytes in every run.

Keys are made from fixed words: they protect nothing, and nobody outside of a simulation trusts their authority.
"""

from __future__ import annotations

import datetime
import ipaddress
from functools import cache
from hashlib import blake2b

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: TLS asks the machine's clock and not the simulation's whether a certificate is valid, so these always are
_FROM, _UNTIL = datetime.datetime(2000, 1, 1), datetime.datetime(2199, 12, 31)


def _key(words: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(blake2b(words.encode(), digest_size=32).digest())


def _serial(words: str) -> int:
    return int.from_bytes(blake2b(words.encode(), digest_size=16).digest(), "big") >> 1


_ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "penstock simulated CA")])


def _builder(subject: x509.Name, key: Ed25519PrivateKey, serial: str) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_ISSUER)
        .public_key(key.public_key())
        .serial_number(_serial(serial))
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
    )


@cache
def authority_pem() -> str:
    """The certificate that simulated clients trust."""
    key = _key("authority")
    made = (
        _builder(_ISSUER, key, "authority")
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, None)
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@cache
def site_pem(names: tuple[str, ...], addresses: tuple[str, ...] = ()) -> str:
    """Key and certificate of a site, for its names and addresses; all sites have one key, which is no secret."""
    key, signer = _key("site"), _key("authority")
    every = [*names, *addresses]
    subjects: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    subjects += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, every[0][:64])])  # RFC 5280: at most 64 characters
    made = (
        _builder(subject, key, " ".join(every))
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, None)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode() + made.public_bytes(serialization.Encoding.PEM).decode()


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
