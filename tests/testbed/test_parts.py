"""Parts that all reports have."""

from pathlib import Path

from testbed.parts import pictures, policies
from tests.testbed.written import GOOD, run_of


def test_each_policy_has_its_words_and_its_text_escaped(tmp_path: Path) -> None:
    text = policies(run_of(tmp_path, GOOD), lambda policy: [f"found <{policy}>"])
    assert "<li>found &lt;control&gt;</li>" in text
    assert "<li>found &lt;sni-drop&gt;</li>" in text
    assert "name: sni-drop  # &lt;&amp;&gt;" in text
    assert "about sni-drop" in text


def test_each_figure_has_its_title_and_caption() -> None:
    text = pictures({"one": "<svg></svg>"}, {"one": ("A title", "A caption."), "two": ("Another", "")})
    assert "<h3>A title</h3><svg></svg><figcaption>A caption.</figcaption>" in text
    assert "Another" not in text
