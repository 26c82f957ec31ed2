"""Chance for QUIC: while a simulated end is at work, aioquic draws from a stream of the run's seed.

So connection IDs, the hello's random bytes and all key shares are the same in each run of one seed. aioquic has no
place for a generator of one's own: its modules' `os` and key generators are changed for single calls, and always
changed back, so that nothing else in the process ever draws from a seed.
"""

from __future__ import annotations

from random import Random
from types import SimpleNamespace, TracebackType
from typing import Any

from aioquic import tls
from aioquic.quic import connection, packet
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519


class QuicChance:
    """One stream of chance; `with chance:` around calls of aioquic. Not safe for threads."""

    def __init__(self, random: Random) -> None:
        system = SimpleNamespace(urandom=random.randbytes)

        def generate(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
            # less than any order of such a curve: its first bit is zero
            return ec.derive_private_key(random.getrandbits(curve.key_size - 1) | 1, curve)

        curves = _like(ec, generate_private_key=generate)
        ours: list[tuple[Any, str, object]] = [(module, "os", system) for module in (connection, packet, tls)]
        ours += [(tls, "ec", curves)]
        for module, name, size in ((x25519, "X25519PrivateKey", 32), (x448, "X448PrivateKey", 56)):
            keys = getattr(module, name)
            made = _like(keys, generate=_from_bytes(keys, random, size))
            ours.append((tls, module.__name__.rpartition(".")[2], _like(module, **{name: made})))
        self._ours = ours
        self._theirs: list[object] = []

    def __enter__(self) -> QuicChance:
        self._theirs = [getattr(module, name) for module, name, _ in self._ours]
        for module, name, value in self._ours:
            setattr(module, name, value)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for (module, name, _), value in zip(self._ours, self._theirs, strict=True):
            setattr(module, name, value)


def _like(original: object, **changed: object) -> SimpleNamespace:
    """What looks like a module or a class, but for some names."""
    names = {name: getattr(original, name) for name in dir(original) if not name.startswith("__")}
    return SimpleNamespace(**(names | changed))


def _from_bytes(keys: Any, random: Random, size: int) -> Any:  # noqa: ANN401 - a class of keys
    return lambda: keys.from_private_bytes(random.randbytes(size))
