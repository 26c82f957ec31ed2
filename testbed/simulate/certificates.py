"""The simulated sites' certificates: their signatures have one length, and their bytes are the same in every run.

Each site has one for Ed25519, and one for RSA, which is what browsers ask for. Keys are made from fixed words: they
protect nothing, and nobody outside of a simulation trusts their authority.
"""

from __future__ import annotations

import datetime
from functools import cache
from hashlib import blake2b, shake_256

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from testbed.certified import named, of_authority, of_site

#: TLS asks the machine's clock and not the simulation's whether a certificate is valid, so these always are
_FROM, _UNTIL = datetime.datetime(2000, 1, 1), datetime.datetime(2199, 12, 31)


def _key(words: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(blake2b(words.encode(), digest_size=32).digest())


#: how far behind the number that fixed words make a prime lies: looking for it takes a second
_PRIMES = {"site p": 510, "site q": 218}
_EXPONENT = 65_537


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    p, q = (
        (int.from_bytes(shake_256(words.encode()).digest(128), "big") | 3 << 1022 | 1) + behind
        for words, behind in _PRIMES.items()
    )
    secret = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=secret,
        dmp1=rsa.rsa_crt_dmp1(secret, p),
        dmq1=rsa.rsa_crt_dmq1(secret, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(_EXPONENT, p * q),
    )
    return numbers.private_key()


def _serial(words: str) -> int:
    return int.from_bytes(blake2b(words.encode(), digest_size=16).digest(), "big") >> 1


_ISSUER = named("penstock simulated CA")


def _builder(subject: x509.Name, key: Ed25519PrivateKey | rsa.RSAPrivateKey, serial: str) -> x509.CertificateBuilder:
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
    made = of_authority(_builder(_ISSUER, key, "authority"), key.public_key()).sign(key, None)
    return made.public_bytes(serialization.Encoding.PEM).decode()


@cache
def site_pem(names: tuple[str, ...], addresses: tuple[str, ...] = (), *, for_browsers: bool = False) -> str:
    """Key and certificate of a site, for its names and addresses; all sites have one key, which is no secret.

    `for_browsers`: by RSA, since the hellos of browsers offer no Ed25519.
    """
    key, signer = _rsa_key() if for_browsers else _key("site"), _key("authority")
    every = [*names, *addresses]
    made = _builder(named(every[0]), key, " ".join(every))
    site = of_site(made, names, addresses, key.public_key(), signer=signer.public_key()).sign(signer, None)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode() + site.public_bytes(serialization.Encoding.PEM).decode()
