"""What stands in the certificates of a lab's authority and of its sites, in a real lab as in a simulated one.

Keys, serial numbers and dates are their makers' business.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes, CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def named(common: str) -> x509.Name:
    """A name of one word; at most 64 characters of it (RFC 5280, appendix A)."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def of_authority(builder: x509.CertificateBuilder, public: CertificatePublicKeyTypes) -> x509.CertificateBuilder:
    """The extensions of an authority (RFC 5280, 4.2); `public` is its key."""
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def of_site(
    builder: x509.CertificateBuilder,
    names: Sequence[str],
    addresses: Sequence[str],
    public: CertificatePublicKeyTypes,
    *,
    signer: CertificateIssuerPublicKeyTypes,
) -> x509.CertificateBuilder:
    """The extensions of a web site with these names and addresses; `public` is its key, `signer` its authority's."""
    subjects: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    subjects += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    return (
        builder.add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )


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
