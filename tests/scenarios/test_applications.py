"""What the scenario's policies mean for each application, and what virtual time sees of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from middlebox.policy import Policy
from scenarios.applications import SCENARIO
from testbed.result import read_rows
from testbed.virtual.run import run

UNTOUCHED = {"text", "page-h3", "call"}  # less than the bucket holds, and datagrams


def test_each_application_is_asked_of_both_names() -> None:
    slowed, innocent = (
        {target.name.partition("-")[2]: target.workload for target in SCENARIO.targets if target.listed is listed}
        for listed in (True, False)
    )
    assert slowed == innocent
    assert {"web-object", "web-h3", "chat-text", "media-fetch", "media-send", "video", "call"} < set(slowed.values())


def test_it_goes_in_virtual_time_as_its_policies_mean_it(tmp_path: Path) -> None:
    policies = [Policy.load(name) for name in SCENARIO.policies]
    ran = run(dataclasses.replace(SCENARIO, attempts=1), policies, seed=1, folder=tmp_path, command=["run"])
    assert ran.manifest["finished"]
    rows = read_rows(tmp_path)
    slow = {"throttle-police": "throttled", "throttle-freeze": "blocked"}
    for _, row in rows.iterrows():
        who, _, what = str(row["target"]).partition("-")
        hit = who == "slowed" and what not in UNTOUCHED
        meant = slow.get(str(row["policy"]), "ok") if hit else "ok"
        assert (row["outcome"], row["intended"]) == (meant, meant), (row["policy"], row["target"])
