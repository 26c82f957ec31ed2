"""Any policy made to sleep and wake with the phases of a timeline.

A policy that names phases itself is left as it is. In any other one each rule is given the ruled phases; nothing else
of the text changes, and what was run stands in the run folder.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from middlebox.load import shipped
from middlebox.policy import Policy

_FILE = re.compile(r"^file:\s*(?!/)(.+)$")


def as_shipped(policy: Policy) -> bool:
    """Whether it is the shipped policy of its name, by its text: not before `phased` has changed that."""
    path = shipped().get(policy.name)
    return path is not None and path.read_text(encoding="utf-8") == policy.source_text


def phased(policy: Policy, phases: Sequence[str], folder: Path) -> Policy:
    """The policy, awake in these phases alone, as a file in `folder`; without phases as it is.

    Raises `LoadError` if that is no policy.
    """
    if not phases or any(rule.when.phases for rule in policy.rules):
        return policy
    yaml = YAML()
    yaml.width = 120
    root = yaml.load(policy.source_text)
    for rule in root["rules"]:
        rule["when"] = {**(rule.get("when") or {}), "phase": list(phases)}
    home = policy.path.absolute().parent if policy.path is not None else Path.cwd()
    for entries in (root.get("lists") or {}).values():
        if isinstance(entries, list):
            entries[:] = [_whole(entry, home) for entry in entries]
    text = io.StringIO()
    yaml.dump(root, text)
    folder.mkdir(exist_ok=True)
    path = folder / f"{policy.name}.yaml"
    path.write_text(text.getvalue())
    return Policy.load(path)


def _whole(entry: object, home: Path) -> object:
    """A list's entry; a file beside the policy gets its whole path."""
    found = _FILE.match(entry) if isinstance(entry, str) else None
    return f"file:{home / found[1]}" if found else entry
