"""What README.md points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: what Markdown links to and shows, but for the web and places in the page itself
LINKS = sorted(
    {
        target.partition("#")[0]
        for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("#")
    }
)


@pytest.mark.parametrize("target", LINKS)
def test_every_file_that_the_readme_links_to_or_shows_is_there(target: str) -> None:
    assert (ROOT / target).is_file()


def test_the_picture_of_the_report_is_small_enough_for_a_page() -> None:
    picture = ROOT / "docs" / "report.png"
    assert "docs/report.png" in LINKS
    assert picture.stat().st_size < 300_000
