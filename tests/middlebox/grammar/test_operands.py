"""The words of an operator's value: literals beside names of lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.load import LoadError, load

POLICY = """\
name: operands
lists: {{banned: [blocked.example], ports: ["80", "443"]}}
rules:
  - {{name: one, match: {match}, action: drop}}
"""


def loaded(folder: Path, match: str) -> str:
    path = folder / "policy.yaml"
    path.write_text(POLICY.format(match=match), encoding="utf-8")
    return load(path).sentences()[-1]


def test_lists_and_literals_may_stand_together(tmp_path: Path) -> None:
    said = loaded(tmp_path, "{tls.sni: {under: [banned, other.example]}}")
    assert "blocked.example or other.example" in said


def test_a_list_of_numbers_is_one_of_numbers(tmp_path: Path) -> None:
    assert "80 or 443" in loaded(tmp_path, "{server.port: ports}").replace("443 or 80", "80 or 443")


@pytest.mark.parametrize(
    ("match", "hint"),
    [
        ("{tls.sni: {under: baned}}", "did you mean 'banned'?"),
        ("{tls.sni: {under: []}}", "at least one value for 'tls.sni'"),
        ("{tls.sni: {under: 203.0.113.5}}", "an address is matched with server.ip"),
        ("{server.ip: {in: nowhere}}", "a network such as 203.0.113.0/24, or a list's name"),
    ],
)
def test_what_is_neither_is_refused_with_the_nearest(tmp_path: Path, match: str, hint: str) -> None:
    with pytest.raises(LoadError) as refused:
        loaded(tmp_path, match)
    assert hint in str(refused.value)
