"""What was run, in enough detail to run it again: `manifest.json` of a run folder.

It records; it measures nothing. The file is there from the start, with `finished` false until all legs are over.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tomllib
from dataclasses import asdict
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from middlebox import compiled
from testbed.fidelity import MAX_CPU, most_added_s
from testbed.scenario import Scenario

FORMAT = 1  #: of the file; a reader refuses a higher one
_ROOT = Path(__file__).resolve().parent.parent
#: whose versions can change a result
_PACKAGES = ("mininet", "NetfilterQueue", "simpy", "curl_cffi", "pandas", "matplotlib", "cryptography")


def begin(
    scenario: Scenario,
    *,
    run: str,
    seed: int,
    policies: list[dict[str, Any]],
    command: list[str],
    backend: str = "emulate",
) -> dict[str, Any]:
    """The manifest of a run that begins; `policies`: name, about, text and rate of each."""
    return {
        "format": FORMAT,
        "run": run,
        "finished": False,
        "status": None,
        "command": command,
        "versions": {
            "penstock": version(),
            "commit": commit(),
            "python": platform.python_version(),
            "engine": "compiled" if compiled() else "plain",
            **{name: package_version(name) for name in _PACKAGES},
        },
        "machine": {"kernel": platform.release(), "architecture": platform.machine(), "cores": os.cpu_count()},
        "backend": backend,
        "seed": seed,
        "scenario": plain(asdict(scenario)),
        "topology": plain(asdict(scenario.network)),
        "policies": policies,
        "limits": {"added_p99_s": most_added_s(scenario.network), "cpu_share": MAX_CPU},
        "facts": {},
        "legs": [],
        "checks": [],
    }


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json`, whole or not at all."""
    path = folder / "manifest.json"
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(plain(manifest), indent=1, ensure_ascii=False) + "\n")
    os.replace(fresh, path)


def read(folder: Path) -> dict[str, Any]:
    """Read a manifest; raises `ValueError` for a file that is none, `FileNotFoundError` for a missing one."""
    path = folder / "manifest.json"
    try:
        found = json.loads(path.read_text())
        number = found["format"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{path}: not a manifest of a run") from None
    if number > FORMAT:
        raise ValueError(f"{path}: format {number}; this version reads up to {FORMAT}: update penstock")
    manifest: dict[str, Any] = found
    return manifest


def simulated(manifest: dict[str, Any]) -> bool:
    """Whether the run was one in virtual time."""
    return bool(manifest["backend"] == "simulate")


def plain(value: Any) -> Any:  # noqa: ANN401  # any value that a dataclass may hold
    """Values as JSON can say them: enums by their words, networks and paths as text, tuple keys joined."""
    if isinstance(value, dict):
        return {" ".join(key) if isinstance(key, tuple) else str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def version() -> str:
    """The version of this project, installed or not."""
    found = package_version("penstock")
    if not found and (_ROOT / "pyproject.toml").exists():
        found = str(tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"])
    return found


def package_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit of the checkout, with "+" if files differ from it; "" outside of a checkout or without git."""
    words = ["git", "-c", f"safe.directory={_ROOT}", "-C", str(_ROOT)]
    try:
        if not (_ROOT / ".git").exists():
            return ""
        head = subprocess.run([*words, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10)
        changed = subprocess.run([*words, "diff", "--quiet", "HEAD"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return head.stdout.strip() + ("+" if changed.returncode == 1 else "") if head.returncode == 0 else ""
