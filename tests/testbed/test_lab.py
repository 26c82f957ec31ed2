"""`Lab` as scripts use it: what it accepts, what it refuses before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.policy import Policy
from testbed.lab import MAX_LISTED, Lab, LabError, listed_names

RULE = "rules:\n  - {name: one, match: {tls.sni: {under: banned}}, action: {drop: flow}}\n"


def policy(tmp_path: Path, names: list[str]) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(f"name: p\nabout: a test\nlists:\n  banned: [{', '.join(names)}]\n{RULE}")
    return Policy.load(path)


def test_the_package_offers_the_lab_and_nothing_else() -> None:
    import testbed

    assert testbed.Lab is Lab
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = testbed.nothing


def test_names_in_a_policys_lists_become_sites_up_to_a_bound(tmp_path: Path) -> None:
    names = [f"name{number}.example" for number in range(MAX_LISTED + 20)]
    assert listed_names(policy(tmp_path, names)) == names[:MAX_LISTED]
    lab = Lab(policy(tmp_path, ["forbidden.example"]), sites=["mine.example"])
    assert {"forbidden.example", "mine.example", "blocked.example"} <= {site.name for site in lab._setup.sites}


def test_a_policy_goes_to_every_box_unless_boxes_are_named(tmp_path: Path) -> None:
    one = policy(tmp_path, ["a.example"])
    assert set(Lab(one, "two-boxes")._setup.policies) == {"box", "box2"}
    assert set(Lab({"box2": one}, "two-boxes")._setup.policies) == {"box2"}
    with pytest.raises(ValueError, match=r"no box 'web' in topology 'two-boxes' \(there are: box, box2\)"):
        Lab({"web": one}, "two-boxes")


def test_a_policy_that_has_changed_on_disk_is_run_as_it_was_loaded(tmp_path: Path) -> None:
    loaded = policy(tmp_path, ["a.example"])
    assert Lab(loaded)._setup.policies["box"].path == str(tmp_path / "policy.yaml")
    assert loaded.path is not None
    loaded.path.write_text("something else")
    given = Lab(loaded)._setup.policies["box"]
    assert (given.path, given.text) == ("", loaded.source_text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_plane": "silicon"}, "'kernel' or 'queue' is expected"),
        ({"workers": 0}, "workers '0': a number from 1 to 32, or 'auto', is expected"),
        ({"policy": "vpn-block-address", "workers": 2}, "remembers by server address .*; use --workers 1"),
        ({"fail": "ajar"}, "'closed' or 'open' is expected"),
        ({"topology": "smal"}, "did you mean 'small'"),
        ({"sites": ["no site"]}, "site 'no site': a host name"),
    ],
)
def test_a_lab_that_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lab(**options)  # type: ignore[arg-type]


def test_a_lab_that_has_not_been_started_says_so() -> None:
    lab = Lab()
    with pytest.raises(LabError, match="has not been started"):
        lab.facts()
    with pytest.raises(LabError, match="no run folder"):
        _ = lab.folder
    lab.stop()


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text("")
    with pytest.raises(LabError, match=r"holds a run already \(decisions.jsonl\)"):
        Lab(out=tmp_path).start()


@pytest.mark.lab
def test_a_lab_starts_once_and_again_after_its_end() -> None:
    lab = Lab(topology="small")
    for _ in range(2):
        with lab:
            with pytest.raises(LabError, match="runs already"):
                lab.start()
            assert lab.client.run(["true"]).status == 0
            assert lab.alive()
        assert not lab.alive()


@pytest.mark.lab
def test_a_box_that_dies_drops_or_forwards_as_it_was_told(tmp_path: Path) -> None:
    import os
    import signal

    from tests.testbed.emulate.residue import Footprint

    for fail, status in (("closed", 28), ("open", 0)):
        with Lab(policy(tmp_path, ["a.example"]), "small", fail=fail) as lab:
            os.kill(Footprint.of(lab.pid).find("middlebox.drivers.nfqueue"), signal.SIGKILL)
            done = lab.client.run(["curl", "-sS", "-m", "1", "http://203.0.113.10/"])
            assert done.status == status, fail
            assert lab.dead() == ["box"]
