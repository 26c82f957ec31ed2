"""The lab's certificate authority: a fresh one for each lab, one certificate for each site.

Keys never leave the lab's own temporary file system; nothing is kept for the next lab. All sites share one private
key, which saves time and is no secret here.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testbed.certified import named, of_authority, of_site

#: where systems keep the certificates that programs trust
HOST_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/cert.pem",  # Alpine
)
#: variables that programs look at for a bundle; a stranger's environment may point them elsewhere
VARIABLES = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
_AGE = datetime.timedelta(days=30)


@dataclass(slots=True)
class Authority:
    """A certificate authority of its own."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    site_key: ec.EllipticCurvePrivateKey

    @staticmethod
    def make() -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = named("penstock lab CA")
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _AGE)
            .not_valid_after(now + _AGE)
        )
        certificate = of_authority(made, key.public_key()).sign(key, hashes.SHA256())
        return Authority(key, certificate, ec.generate_private_key(ec.SECP256R1()))

    def certify(self, names: Sequence[str], addresses: Sequence[str] = ()) -> bytes:
        """A certificate for host names and addresses, in PEM; the first is the subject."""
        public = self.site_key.public_key()
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(named([*names, *addresses][0]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _AGE)
            .not_valid_after(now + _AGE)
        )
        site = of_site(made, names, addresses, public, signer=self.key.public_key()).sign(self.key, hashes.SHA256())
        return site.public_bytes(serialization.Encoding.PEM)

    def site_key_pem(self) -> bytes:
        return self.site_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def bundle(authority: Authority) -> bytes:
    """All that the host trusts, and the lab's authority."""
    for path in HOST_BUNDLES:
        if Path(path).is_file():
            return Path(path).read_bytes().rstrip() + b"\n" + authority.pem()
    return authority.pem()


def environment(path: str) -> dict[str, str]:
    """The variables that make programs trust the bundle."""
    return dict.fromkeys(VARIABLES, path)
