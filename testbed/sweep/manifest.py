"""`sweep.json`: what a sweep varies, and by which code: with it a folder alone gives its table and its report again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.manifest import commit, package_version, version
from testbed.sweep import description
from testbed.sweep.values import Capture, Chosen, Parameter, Span, Sweep, canonical, digest

#: whose versions can change a byte of the table or of the report
_PACKAGES = ("pyarrow", "pandas", "matplotlib")


def begin(sweep: Sweep, *, command: list[str], cells: int) -> dict[str, Any]:
    """What `sweep.json` says of a sweep that begins; `command` repeats it."""
    return {
        "sweep": described(sweep),
        "cells": cells,
        "command": command,
        "versions": {
            "penstock": version(),
            "commit": commit(),
            "python": platform.python_version(),
            **{name: package_version(name) for name in _PACKAGES},
        },
        "table": None,
    }


def described(sweep: Sweep) -> dict[str, Any]:
    """A sweep as JSON can say it."""
    return {
        "name": sweep.name,
        "about": sweep.about,
        "backend": sweep.backend,
        "code": sweep.code,
        "scenario": sweep.scenario,
        "policies": [{"name": one.name, "text": one.text, "lists": one.lists} for one in sweep.policies],
        "tools": list(sweep.tools),
        "workloads": list(sweep.workloads),
        "captures": [{"name": one.name, "sha256": one.digest} for one in sweep.captures],
        "parameters": [
            {"name": one.name, "values": str(one.values) if isinstance(one.values, Span) else list(one.values)}
            for one in sweep.parameters
        ],
        "seeds": seeds(sweep),
        "design": f"lhs:{sweep.draws}" if sweep.draws else "grid",
        "design_seed": sweep.design_seed,
    }


def restored(told: Mapping[str, Any]) -> Sweep:
    """The sweep that was described, to read its cells; the files of its policies and captures may be gone."""
    design = str(told["design"])
    return Sweep(
        name=told["name"],
        about=told["about"],
        backend=told["backend"],
        code=told["code"],
        scenario=told["scenario"],
        policies=tuple(
            Chosen(one["name"], one["text"], Path(one["name"]), one["name"], one["lists"]) for one in told["policies"]
        ),
        tools=tuple(told["tools"]),
        workloads=tuple(told["workloads"]),
        captures=tuple(Capture(one["name"], Path(one["name"]), one["sha256"]) for one in told["captures"]),
        parameters=tuple(_parameter(one["name"], one["values"]) for one in told["parameters"]),
        seeds=description.seeds(told["seeds"]),
        draws=int(design.removeprefix("lhs:")) if design != "grid" else 0,
        design_seed=told["design_seed"],
    )


def _parameter(name: str, values: str | list[str]) -> Parameter:
    return Parameter(name, description.span(values) if isinstance(values, str) else tuple(values))


def name(sweep: Sweep) -> str:
    """A few digits that differ from those of any other sweep, for the name of a folder."""
    return digest(canonical(described(sweep)))[:8]


def seeds(sweep: Sweep) -> str:
    return ",".join(f"{one[0]}-{one[-1]}" if len(one) > 1 else str(one[0]) for one in sweep.seeds)


def varied(sweep: Sweep) -> str:
    """What is varied, in a line for people."""
    points = f"{sweep.draws:,} draws of " if sweep.draws else ""
    names = ", ".join(one.name for one in sweep.parameters)
    parts = [
        _many(len(sweep.policies), "policy", "policies"),
        _many(len(sweep.tools), "tool", "tools") if sweep.tools != (None,) else "",
        _many(len(sweep.workloads) + len(sweep.captures), "workload", "workloads"),
        f"{points}{names}" if names else "",
        f"seeds {seeds(sweep)}",
    ]
    return " x ".join(part for part in parts if part) + f", by {sweep.backend}"


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
