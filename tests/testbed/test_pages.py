"""The lab's pages, and which page is the right one."""

from __future__ import annotations

import pytest

from testbed import failure
from testbed.pages import OBJECTS, noise, page, wrong_page


def test_a_page_names_its_site_and_is_about_twenty_kilobytes() -> None:
    assert "innocent.example" in page("innocent.example")
    assert 19_000 < len(page("innocent.example")) < 21_000


def test_there_is_content_for_the_largest_file() -> None:
    assert len(noise()) == max(OBJECTS.values())
    assert noise() == noise()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, "This is blocked.example at 203.0.113.10.", ""),
        (200, "This is notblocked.example at 203.0.113.10.", failure.unknown("the page is not that of the asked host")),
        (200, "This is blocked.example.org.", failure.unknown("the page is not that of the asked host")),
        (302, "", failure.HTTP_REDIRECT),
        (404, "blocked.example", failure.HTTP_STATUS),
    ],
)
def test_only_the_hosts_own_page_is_right(status: int, body: str, why: str) -> None:
    assert wrong_page("blocked.example", status, body) == why
