"""The report: one page without links and scripts, made from the run folder alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from testbed.result import CONTROL
from testbed.timeline import page
from testbed.timeline.values import Kind
from tests.testbed.timeline.written import good, run_of, whole


class _Balanced(HTMLParser):
    """Fails on a tag that is not closed."""

    EMPTY = frozenset({"meta", "br", "wbr", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


@pytest.mark.parametrize("kind", list(Kind))
def test_a_report_is_one_page_that_asks_nothing_from_the_network(kind: Kind, tmp_path: Path) -> None:
    whole(tmp_path, kind)
    text = page.write(tmp_path).read_text()
    parser = _Balanced()
    parser.feed(text)
    assert parser.open == []
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#)', text)
    assert "Two people &lt;&amp; a censor&gt;" in text
    assert "What this cannot say" in text
    assert "It says nothing." in text
    assert list((tmp_path / "figures").glob("answers-*.svg"))


def test_the_answer_comes_in_plain_words_before_any_number(tmp_path: Path) -> None:
    whole(tmp_path)
    text = page.write(tmp_path).read_text()
    assert (
        text.index("The answer in plain words") < text.index("What people notice") < text.index("How it was measured")
    )
    assert "<b>Yes: photos fail.</b>" in text


def test_by_which_fact_a_box_knows_a_tool_is_told(tmp_path: Path) -> None:
    whole(tmp_path, Kind.MATRIX)
    assert "<h3>By what a box knows them</h3><ul><li>by its name</li></ul>" in page.write(tmp_path).read_text()


def test_a_run_that_was_cut_off_has_a_report_that_says_so(tmp_path: Path) -> None:
    run_of(tmp_path, good(policy=CONTROL), finished=False)
    assert "This run was ended before it was over" in page.write(tmp_path).read_text()
