"""Builds the package; with PENSTOCK_COMPILE=1 its engine is compiled by mypyc (a C compiler and Python's headers).

`PENSTOCK_COMPILE=1 pip wheel .` makes a wheel for this Python; `./setup --fast` compiles for the checkout alone.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
BUILD = runpy.run_path(str(ROOT / "middlebox" / "build.py"))
WANTED = bool(os.environ.get("PENSTOCK_COMPILE"))


class Compile(build_ext):
    """As setuptools does it; what lies in the checkout's folder gets the fingerprint of its sources."""

    def run(self) -> None:
        super().run()
        if Path(self.build_lib).resolve() == BUILD["FOLDER"]:
            BUILD["stamp"]()


def extensions() -> list[object]:
    """The modules to compile; none while pip asks what is needed (`setup_requires`): mypyc is not there yet."""
    if not WANTED or "egg_info" in sys.argv:
        return []
    from mypyc.build import mypycify

    files = [str(path.relative_to(ROOT)) for path in BUILD["sources"]()]
    return list(mypycify(["--strict", *files], opt_level="3", debug_level="0", target_dir=f"{BUILD['FOLDER']}.temp"))


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": Compile},
    setup_requires=["mypy>=1.10"] if WANTED else [],
)
