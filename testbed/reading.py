"""How a run is read: which checks, words, tables and figures its kind of scenario has.

A kind is a line here and a module; a run folder alone is enough to read it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from testbed.findings import Check
from testbed.scenario import Kind


class Reading(Protocol):
    """What a module for a kind of scenario has."""

    def checks(self, folder: Path) -> list[Check]:
        """What had to hold."""

    def summary(self, folder: Path) -> str:
        """The run as plain text, for the terminal."""

    def drawings(self, folder: Path) -> dict[str, str]:
        """The figures: file name without its end -> SVG."""

    def sections(self, folder: Path, drawings: Mapping[str, str]) -> list[str]:
        """What a report says between its head and how it was measured, in HTML."""

    def method(self, manifest: Mapping[str, Any]) -> str:
        """How an attempt was judged, for the section on how it was measured."""


#: by name, because these modules import those that run and report
READINGS = {Kind.ACCESS: "testbed.access", Kind.THROUGHPUT: "testbed.throughput.reading"}


def reading(manifest: Mapping[str, Any]) -> Reading:
    """The reading of a run; manifests from before there were kinds are of the first."""
    kind = Kind(manifest["scenario"].get("kind", Kind.ACCESS.value))
    return cast(Reading, importlib.import_module(READINGS[kind]))
