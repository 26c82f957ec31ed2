"""Parts that reports of every kind have: the policies with what was found under each, and the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from testbed.findings import policies_of


def policies(manifest: Mapping[str, Any], said: Callable[[str], Sequence[str]]) -> str:
    """What was found under each policy; `said` gives the sentences of one."""
    told = {one["name"]: one for one in manifest["policies"]}
    parts = ["<section><h2>What was found</h2>"]
    for policy in policies_of(dict(manifest)):
        parts.append(f"<h3>{escape(policy)}</h3>")
        about = told[policy]["about"] if policy in told else "the same network, and a box that only forwards"
        if about:
            parts.append(f'<p class="about">{escape(about)}</p>')
        parts.append("<ul>" + "".join(f"<li>{escape(one)}</li>" for one in said(policy)) + "</ul>")
        if policy in told:
            text = escape(told[policy]["text"])
            parts.append(f"<details><summary>the policy as it was used</summary><pre>{text}</pre></details>")
    return "".join(parts) + "</section>"


def pictures(drawings: Mapping[str, str], titles: Mapping[str, tuple[str, str]]) -> str:
    """The figures, each with its title and its caption."""
    parts = [
        f"<figure><h3>{titles[name][0]}</h3>{drawing}<figcaption>{titles[name][1]}</figcaption></figure>"
        for name, drawing in drawings.items()
    ]
    return "<section><h2>Figures</h2>" + "".join(parts) + "</section>"
