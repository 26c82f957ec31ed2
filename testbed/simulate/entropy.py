"""Chance for TLS: while a simulated end speaks TLS, OpenSSL draws from a stream of the run's seed.

So a ClientHello's random bytes and keys are the same in each run of one seed. OpenSSL has a switch for this that serves
the whole process; it is thrown for single calls and always thrown back, so nothing else in the process ever draws from
a seed. Where a build of Python does not let the switch be found, `fixed` is False: hellos then differ from run to run,
in their bytes and not in their lengths.
"""

from __future__ import annotations

import ctypes
import ssl
from functools import cache
from random import Random
from types import TracebackType

_Draw = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_Add = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_double)
_Status = ctypes.CFUNCTYPE(ctypes.c_int)
_Cleanup = ctypes.CFUNCTYPE(None)


class _Method(ctypes.Structure):
    """OpenSSL's RAND_METHOD (openssl/rand.h)."""

    _fields_ = (
        ("seed", _Draw),
        ("bytes", _Draw),
        ("cleanup", _Cleanup),
        ("add", _Add),
        ("pseudorand", _Draw),
        ("status", _Status),
    )


@cache
def _library() -> ctypes.CDLL | None:
    """The OpenSSL that Python's own TLS uses, if it shows the switch."""
    import _ssl  # only to know which file it is

    try:
        library = ctypes.CDLL(_ssl.__file__)
        library.RAND_get_rand_method.restype = ctypes.c_void_p
        library.RAND_set_rand_method.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError, TypeError):
        return None
    return library if ssl.OPENSSL_VERSION_INFO >= (3,) else None


class Entropy:
    """One stream of chance; `with entropy:` around calls of TLS. Not safe for threads."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._library = _library()
        self._before: int | None = None
        # the structure and its functions must live as long as OpenSSL may call them
        self._method = _Method(
            _Draw(lambda buffer, size: 1),
            _Draw(self._draw),
            _Cleanup(lambda: None),
            _Add(lambda buffer, size, entropy: 1),
            _Draw(self._draw),
            _Status(lambda: 1),
        )

    @property
    def fixed(self) -> bool:
        """True if the bytes of TLS follow from the seed."""
        return self._library is not None

    def _draw(self, buffer: int, size: int) -> int:
        ctypes.memmove(buffer, self._random.randbytes(size), size)
        return 1

    def __enter__(self) -> Entropy:
        if self._library is not None:
            self._before = self._library.RAND_get_rand_method()
            self._library.RAND_set_rand_method(ctypes.addressof(self._method))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._library is not None:
            self._library.RAND_set_rand_method(self._before)
