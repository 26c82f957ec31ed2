"""Whether this machine has what a tool needs: its programs, and what its kind asks of the kernel.

Installs nothing: `./setup --tools` does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from testbed.doctor import Features
from testbed.emulate.tools import search_path
from testbed.tool import Kind, Tool, ToolError

KERNEL = "kernel"  #: what `means` says where the kernel carries the tunnel itself


def missing(tool: Tool) -> dict[str, str]:
    """The programs that are not there, with their Debian packages; those that are named by their path need no PATH."""
    path = search_path()
    found = {name: Path(name).exists() if "/" in name else shutil.which(name, path=path) for name in tool.programs}
    return {name: package for name, package in tool.programs.items() if not found[name]}


def lacking(tool: Tool, features: Features) -> list[str]:
    """The features of `testbed.doctor` that the tool needs and this kernel does not give."""
    if tool.kind is Kind.PROXY:
        return []
    needed = ["nat", "policy_routing", *(["tun"] if tool.means() != KERNEL else [])]
    return [name for name in needed if not getattr(features, name)]


def need(tool: Tool) -> None:
    """Raise ToolError if a program is missing."""
    names = missing(tool)
    if names:
        raise ToolError(f"{tool.name} needs {', '.join(names)}, not installed here; run ./setup --tools")
