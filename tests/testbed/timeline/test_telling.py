"""A timeline as plain text."""

from __future__ import annotations

from pathlib import Path

from testbed import manifest
from testbed.timeline.matrix import cells
from testbed.timeline.telling import NOT_KNOWN, sentences, summary
from testbed.timeline.values import Kind
from tests.testbed.timeline.pretended import POLICY
from tests.testbed.timeline.written import whole


def test_symptoms_are_a_table_and_the_claims(tmp_path: Path) -> None:
    whole(tmp_path)
    said = summary(tmp_path)
    assert "during    photo  fails 0/25" in said
    assert "Yes: photos fail (0 of 25 came through" in said


def test_a_matrix_is_a_table_and_sentences(tmp_path: Path) -> None:
    whole(tmp_path, Kind.MATRIX)
    assert "anna, VPN  blocked" in summary(tmp_path)


def test_sentences_tell_who_was_hit_how_and_how_long_it_lasted(tmp_path: Path) -> None:
    rows, made = whole(tmp_path, Kind.MATRIX)
    said = sentences(POLICY, cells(rows, made))
    assert "Nothing came through: anna, VPN." in said
    assert "Of 3 attempts to connect while it was awake 3 failed." in said
    assert "After its end the tools answered again within 2.5 s, anna, VPN as the last." in said
    assert any(one.startswith("Connections that were open when it woke up still carried") for one in said)
    assert any(one.startswith("Who used no tool was hit as well: anna") for one in said)


def test_of_an_own_policy_it_says_what_was_found_and_that_its_meaning_is_not_known(tmp_path: Path) -> None:
    _, made = whole(tmp_path, Kind.MATRIX)
    made["policies"][0]["known"] = False
    manifest.write(tmp_path, made)
    text = summary(tmp_path)
    assert "Nothing came through: anna, VPN." in text
    assert NOT_KNOWN in text
    assert "Not as the policy says" not in text
    assert " !" not in text
    made["scenario"]["kind"] = "symptoms"
    manifest.write(tmp_path, made)
    text = summary(tmp_path)
    assert f"{POLICY}: {NOT_KNOWN}" in text
    assert "Yes: " not in text
