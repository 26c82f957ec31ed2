"""The manifest: enough to repeat a run, whole on the disk, refused if foreign."""

import json
from pathlib import Path

import pytest

from testbed import manifest
from testbed.topology import shipped
from tests.testbed.pretended import SCENARIO


def test_it_says_what_was_run_and_can_be_read_again(tmp_path: Path) -> None:
    policies = [{"name": "mine", "about": "", "text": "name: mine"}]
    made = manifest.begin(SCENARIO, run="r", seed=5, policies=policies, command=["run", "pretended"])
    manifest.write(tmp_path, made)
    found = manifest.read(tmp_path)
    assert found["seed"] == 5
    assert found["policies"] == policies
    assert found["finished"] is False
    assert [one["name"] for one in found["scenario"]["targets"]] == ["blocked", "innocent"]
    assert [one["name"] for one in found["topology"]["nodes"]] == [node.name for node in shipped("small").nodes]
    assert found["versions"]["penstock"]
    assert found["versions"]["engine"] in ("compiled", "plain")
    assert found["limits"]["added_p99_s"] > 0
    assert not list(tmp_path.glob("*.new"))


def test_values_become_json_whatever_they_are() -> None:
    assert manifest.plain({("a", "b"): (1, {2}), "path": Path("x")}) == {"a b": [1, [2]], "path": "x"}


def test_a_foreign_or_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    for text in ("[]", "{}", "not json"):
        path.write_text(text)
        with pytest.raises(ValueError, match="not a manifest of a run"):
            manifest.read(tmp_path)
    path.write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match=r"format 99; this version reads up to 1: update penstock"):
        manifest.read(tmp_path)
