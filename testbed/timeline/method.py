"""What a timeline's report says beside its findings: policies with their sources, what it cannot say, how it was made.

From the manifest alone.
"""

from __future__ import annotations

from html import escape
from typing import Any

from middlebox.load import LoadError, load_whole
from testbed.manifest import simulated
from testbed.run_folder import as_typed
from testbed.stats import percent

#: what the grades of a policy's numbers mean, as in `middlebox/profiles`
GRADES = {
    "P": "measured, in a paper or by its authors",
    "S": "told by people who saw it",
    "N": "in the news",
    "AI": "from a compiled summary",
    "U": "assumed",
}


def policies(manifest: dict[str, Any]) -> str:
    """Each policy: where its numbers come from, and its text."""
    parts = ["<section><h2>What was assumed, and where it comes from</h2>"]
    for policy in manifest["policies"]:
        lines = "".join(
            f"<tr><td>{escape(one.what)}</td><td>{escape(GRADES.get(str(one.grade), str(one.grade)))}</td>"
            f"<td>{escape(one.source)}</td></tr>"
            for one in (_sources(str(policy["name"])) if policy.get("known", True) else ())
        )
        head = "<tr><th>what</th><th>how well known</th><th>source</th></tr>"
        table = f'<table class="plain"><thead>{head}</thead><tbody>{lines}</tbody></table>' if lines else ""
        parts.append(
            f'<h3>{escape(policy["name"])}</h3><p class="about">{escape(policy["about"])}</p>{table}'
            f"<details><summary>the policy as it was used</summary><pre>{escape(policy['text'])}</pre></details>"
        )
    return "".join(parts) + "</section>"


def _sources(name: str) -> tuple[Any, ...]:
    try:
        return tuple(load_whole(name).sources)
    except (LoadError, OSError):  # a policy of the user's own, which is not here any more
        return ()


def cannot(manifest: dict[str, Any]) -> str:
    """What the scenario cannot say."""
    limits = manifest["scenario"]["limits"]
    if not limits:
        return ""
    items = "".join(f"<li>{escape(one)}</li>" for one in limits)
    return f"<section><h2>What this cannot say</h2><ul>{items}</ul></section>"


def method(manifest: dict[str, Any]) -> str:
    scenario, limits = manifest["scenario"], manifest["limits"]
    held = {True: "held", False: "<b>did not hold</b>"}
    checks = "".join(f"<li>{held[one['held']]}: {escape(one['text'])}</li>" for one in manifest["checks"])
    known = "".join(
        f"<li>{escape(str(name))}: {escape(_flat(value))}</li>" for name, value in manifest["facts"].items()
    )
    transfers = "".join(
        f"<li><b>{escape(one['name'])}</b>: {escape(one['about'])} ({one['bytes']} bytes from {escape(one['host'])}, "
        f"given up after {one['limit_s'] * scenario['slowdown']:g} s)</li>"
        for one in scenario["transfers"]
    )
    tools = "".join(
        f"<li><b>{escape(name)}</b>: {escape(one['about'])}, by {escape(one['means'])}</li>"
        for name, one in manifest["tools"].items()
    )
    virtual = simulated(manifest)
    client = "a client of ours, in virtual time" if virtual else "curl"
    said = (
        "Everybody is at work at the same time in one lab for each policy, and in one without a policy (the "
        f"control). A transfer is one HTTPS connection by {client}; it came through if all its bytes came in "
        "time, with the right certificate, and, with a tool, if the server saw it come from the tool's exit "
        "address. Direct transfers come each from an address of its own. Who has a tool connects before the first "
        "transfer, and connects anew when "
        f"nothing was heard through it for {scenario['patience_s']:g} s. A transfer counts for the phase in which nine "
        "tenths of its time lie (six, if it failed). Shares have Wilson score intervals, medians order-statistic "
        "intervals, both of 95 % (of fewer than six values the range of all, which covers less). "
    )
    said += (
        "A box in virtual time takes none, so nothing had to be left out; VPNs and proxies are shapes there: what an "
        "observer sees of them is as recorded from the real programs, their keys come from the seed."
        if virtual
        else f"A row during which the box lost packets, took more than {percent(limits['cpu_share'])} of a core or "
        f"added more than {limits['added_p99_s'] * 1000:g} ms to one packet in a hundred is left out of every number, "
        "and so is one during which the box or the tool's server was dead."
    )
    tools_list = f"<h3>Tools</h3><ul>{tools}</ul>" if tools else ""
    return (
        f"<section><h2>How it was measured</h2><p>{escape(said)}</p><h3>Transfers</h3><ul>{transfers}</ul>{tools_list}"
        f"<h3>What had to hold</h3><ul>{checks}</ul><details><summary>what was used</summary><ul>{known}</ul></details>"
        "</section>"
    )


def again(manifest: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in manifest["versions"].items() if value)
    said = (
        "The seed fixes everything: the line gives these rows again, byte for byte. "
        if simulated(manifest)
        else "The seed fixes every chance that the boxes take; what the kernel's timing changes is why each number has "
        "an interval. "
    ) + (
        "Beside this page lie manifest.json (all of the above, to repeat the run), rows.csv (one row for "
        "each "
        "transfer, each attempt to connect, and each actor's whole phase), and for each policy a folder with what its "
        "box was given (box.pcap), what it decided (decisions.jsonl), and every probe (series.jsonl)."
    )
    return (
        f"<section><h2>How to repeat it</h2><pre>{escape(as_typed(manifest['command']))}</pre>"
        f'<p>{escape(said)}</p><p class="about">{escape(versions)}</p></section>'
    )


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items())
    return "; ".join(map(_flat, value)) if isinstance(value, list) else str(value)
