"""A running lab as its clients see it, also from another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.emulate.running import to_box
from testbed.lab import Lab, LabError, join

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.lab
def test_another_process_joins_the_lab(lab: Lab) -> None:
    script = (
        "import sys; from testbed.lab import join\n"
        "lab = join(sys.argv[1])\n"
        "print(lab.client.run(['hostname', '-I']).status, lab.boxes, len(lab.decisions()) >= 0, lab.folder)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, lab.name],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.stdout.endswith(f"('box',) True {lab.folder}\n"), done.stderr


@pytest.mark.lab
def test_a_lab_that_is_not_there_cannot_be_joined(lab: Lab) -> None:
    with pytest.raises(LabError, match="no lab 'nonesuch' runs"):
        join("nonesuch")


@pytest.mark.lab
def test_a_box_that_has_no_policy_cannot_be_asked(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"no box 'box9' runs \(running: box\)"):
        lab.box("box9")


@pytest.mark.lab
def test_a_phase_is_told_to_the_boxes(lab: Lab) -> None:
    lab.enter_phase("during")
    stats = lab.box_stats()
    assert stats is not None
    assert stats["phase"] == "during"
    lab.enter_phase("")


@pytest.mark.lab
def test_a_lab_without_a_run_folder_keeps_its_decisions_while_the_object_lives(policy: Path) -> None:
    with Lab(policy=policy, topology="small") as lab:
        lab.client.run(["curl", "-sS", "-m", "1", "https://blocked.example/"])
    assert set(lab.decisions()["rule"]) == {"sni"}
    lab.close()
    with pytest.raises(LabError, match="has no run folder"):
        lab.decisions()


def test_a_box_is_told_of_paths_from_the_root_on_and_of_names_and_texts_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("name: plain")
    for given in ("rel.yaml", "plain", "./x", Path("sni-drop")):
        assert to_box(given) == str(tmp_path / given)
    for given in ("sni-drop", "sni-dorp", "name: a\nrules: []", "/abs/x.yaml"):
        assert to_box(given) == given
