"""Which build of the engine runs: the source as plain Python, or the same source compiled by mypyc.

A wheel that was built with PENSTOCK_COMPILE=1 holds the compiled modules beside the source. In a checkout they lie in a
folder of their own (`./setup --fast` puts them there), with a fingerprint of what they were made of; if any source has
changed since, they are left alone and plain Python runs. Nothing here compiles: that is `setup.py`'s business.

No engine: it may read files. It stands on the standard library alone, as `setup.py` loads it where nothing else is.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
#: where a checkout's compiled modules lie; each Python has its own
FOLDER: Final = _PACKAGE.parent / "build" / f"engine-{sys.implementation.cache_tag}"
_STAMP: Final = FOLDER / "fingerprint"
#: modules that stay Python: what loads and says policies aloud stands on libraries that are not typed, and is not hot
_PLAIN: Final = frozenset({"__init__.py", "build.py", "load.py", "schema.py", "sentences.py"})
#: set to anything, it lets the source run although there is a compiled engine
_OFF: Final = "PENSTOCK_PLAIN"


def sources() -> list[Path]:
    """The modules that are compiled. All of `dissect` is, as a package is looked for in one folder."""
    own = [path for path in _PACKAGE.glob("*.py") if path.name not in _PLAIN]
    return sorted([*own, *(_PACKAGE / "dissect").glob("*.py")])


def fingerprint() -> str:
    """What the compiled modules are made of."""
    digest = sha256(sys.version.encode())
    for path in sources():
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def stamp() -> None:
    """Note that the compiled modules are those of the sources as they are now."""
    _STAMP.write_text(fingerprint(), encoding="ascii")


def compiled() -> bool:
    """True if the engine that runs is compiled."""
    file = sys.modules["middlebox.censor"].__file__ if "middlebox.censor" in sys.modules else None
    return file is not None and not file.endswith((".py", ".pyc"))


def words() -> str:
    """Which engine runs, for people."""
    if compiled():
        return "compiled"
    if not FOLDER.exists():
        return "plain Python"
    return "plain Python, as PENSTOCK_PLAIN is set" if os.environ.get(_OFF) else "plain Python: the compiled one is old"


def _fresh() -> bool:
    """True if there are compiled modules of just these sources, and they are wanted."""
    if os.environ.get(_OFF) or not _STAMP.exists():
        return False
    return _STAMP.read_text(encoding="ascii") == fingerprint()


if __name__ == "middlebox.build" and _fresh():
    sys.modules["middlebox"].__path__.insert(0, str(FOLDER / "middlebox"))
    sys.path.append(str(FOLDER))  # they share one library, which is a module of its own
