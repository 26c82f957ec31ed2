"""The style sheet: readable for weak and colour-blind eyes, and nothing from elsewhere."""

import re

import pytest

from testbed.page import STYLE


def _colour(name: str) -> str:
    found = re.search(rf"--{name}: (#[0-9a-f]{{6}})", STYLE)
    assert found is not None
    return found[1]


def _luminance(colour: str) -> float:
    """WCAG 2.1, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", ["ok", "blocked", "some"])
@pytest.mark.parametrize("ink", ["ink", "soft"])
def test_text_has_the_contrast_that_wcag_asks_of_small_print(ink: str, background: str) -> None:
    dark, light = _luminance(_colour(ink)), _luminance(_colour(background))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_nothing_is_fetched() -> None:
    assert "url(" not in STYLE
    assert "@import" not in STYLE
