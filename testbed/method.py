"""How a run was measured and how to repeat it, in HTML for the report, from its manifest alone."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from testbed.findings import targets_of
from testbed.leg import MORE_ROUNDS
from testbed.manifest import simulated
from testbed.result import CONTROL
from testbed.run_folder import as_typed
from testbed.speed import slowed
from testbed.stats import percent
from testbed.topology import Role, shipped
from testbed.workloads import WORKLOADS


def method(manifest: dict[str, Any], judged: str) -> str:
    """`judged`: how an attempt was judged, in HTML."""
    scenario, facts, limits = manifest["scenario"], manifest["facts"], manifest["limits"]
    held = {True: "held", False: "<b>did not hold</b>"}
    checks = "".join(f"<li>{held[one['held']]}: {escape(one['text'])}</li>" for one in manifest["checks"])
    known = "".join(f"<li>{escape(str(name))}: {escape(_flat(value))}</li>" for name, value in facts.items())
    targets = "".join(
        f"<li><b>{escape(one['name'])}</b>: {escape(one['about'])} ({escape(one['host'])}, IPv{one['family']}, "
        f"{escape(WORKLOADS[one['workload']].about)})</li>"
        for one in targets_of(manifest)
    )
    reused = sum(int(leg.get("addresses_reused", 0)) for leg in manifest["legs"])
    again = f" {reused} attempts had to use an address a second time." if reused else ""
    patience_s = scenario["limit_s"] * scenario["slowdown"]
    said = (
        f"Host {scenario['subscriber']} asked, up to {scenario['parallel']} attempts at a time, in a random order that "
        f"the seed fixes; a client gave up after {patience_s:g} s. Every attempt came from an address of its "
        f"own.{again}"
    )
    further = (
        "Failures carry the strings of OONI's data format df-007. Shares have Wilson score intervals, medians "
        "order-statistic intervals, both of 95 % (of fewer than six values the range of all, which covers less). "
    ) + (
        "In virtual time hosts and boxes take no time, so no attempt had to be left out or made again."
        if simulated(manifest)
        else f"An attempt during which the box lost packets, took more than {percent(limits['cpu_share'])} of a core "
        f"or added more than {limits['added_p99_s'] * 1000:g} ms to one packet in a hundred is left out of every "
        f"number, counted as left out, and made again up to {MORE_ROUNDS} times."
    )
    return (
        f"<section><h2>How it was measured</h2><p>{escape(said)} {judged} {escape(further)}</p>"
        f"<p>{escape(_way(manifest))}</p>"
        f"<h3>Targets</h3><ul>{targets}</ul><h3>What had to hold</h3><ul>{checks}</ul>"
        f"<h3>What was used</h3><ul>{known}</ul></section>"
    )


def _way(manifest: dict[str, Any]) -> str:
    """The path of the packets, in words."""
    factor = manifest["scenario"]["slowdown"]
    topology = slowed(shipped(manifest["topology"]["name"]), factor)
    here = manifest["scenario"]["subscriber"]
    there = topology.having(Role.WEB)[0].name
    home, back = topology.path(here, there), topology.path(there, here)
    trip_s = topology.delay(here, there) + topology.delay(there, here)
    other = "" if back[::-1] == home else f" Answers come back by {' - '.join(back)}."
    slower = (
        f" All delays are {factor} times as long, all rates as many times lower, and clients as many times more "
        "patient, than in the network of this name, so that this slow machine keeps up."
        if factor > 1
        else ""
    )
    return f"Packets go by {' - '.join(home)}; the links alone take {trip_s * 1000:g} ms there and back.{other}{slower}"


def again(manifest: dict[str, Any], folder: Path) -> str:
    """The commands that repeat the run and its decisions; `folder` as it is found from where they are typed."""
    versions = ", ".join(f"{name} {value}" for name, value in manifest["versions"].items() if value)
    first = manifest["policies"][0] if manifest["policies"] else {"name": CONTROL}
    leg = first["name"]
    said = (
        (
            "The seed fixes everything: the first line gives these rows again, byte for byte. "
            if simulated(manifest)
            else "The seed fixes the order of attempts and every chance that the boxes take; what the kernel's timing "
            "changes is why each number has an interval. "
        )
        + "Beside this page lie manifest.json (all of the above, to repeat the run), "
        f"rows.csv (one row an attempt), and for each policy a folder such as {leg}/ with what its box was given "
        "(box.pcap), what it decided (decisions.jsonl), and what the client and the servers saw (client.pcap, "
        "server.pcap). The second line shows the box's decisions again, without a lab."
    )
    replay = as_typed(["replay", first.get("given", leg), str(folder / leg / "box.pcap")])
    return (
        f"<section><h2>How to repeat it</h2><pre>{escape(as_typed(manifest['command']))}\n{escape(replay)}</pre>"
        f'<p>{escape(said)}</p><p class="about">{escape(versions)}</p></section>'
    )


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items())
    return "; ".join(map(_flat, value)) if isinstance(value, list) else str(value)
