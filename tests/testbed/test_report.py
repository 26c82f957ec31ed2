"""The report: one page that needs nothing else, says what was found, and says so when a run is not whole."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from testbed import manifest as manifests
from testbed import report
from tests.testbed.written import GOOD, rows, run_of

#: elements that have no end tag
_VOID = {"meta", "br", "wbr", "link", "img", "hr"}


class _Page(HTMLParser):
    """Reads a page strictly enough to see that every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.outside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        self.outside += [
            f"{tag} {name}" for name, value in attrs if name in ("src", "href", "action") and value and value[0] != "#"
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep_outside(tag, attrs)

    def _keep_outside(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """What leads away from the page; `#...` stays in it."""
        leading = ("src", "href", "xlink:href", "action")
        self.outside += [f"{tag} {name}={value}" for name, value in attrs if name in leading and str(value)[:1] != "#"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def _page(folder: Path) -> _Page:
    text = report.write(folder).read_text()
    assert "url(" not in text.replace("url(#", "")
    assert "<script" not in text
    page = _Page(text)
    assert page.open == []
    return page


def test_the_page_is_well_formed_and_asks_for_nothing_else(tmp_path: Path) -> None:
    run_of(tmp_path, GOOD)
    page = _page(tmp_path)
    assert page.outside == []
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"shares.svg", "times.svg"}


def test_the_page_says_what_was_asked_found_and_how_to_repeat_it(tmp_path: Path) -> None:
    run_of(tmp_path, GOOD)
    text = _page(tmp_path).text
    for words in (
        "Does it work?",
        "Two names <& one server>.",
        "40 of 40 attempts",
        "2026-01-01 00:00:00 UTC, 90 s long",
        "10 of 10",
        "72.2 % to 100 %",
        "Of the attempts that the policy means to block, it blocked 10 of 10",
        "name: sni-drop # <&>",
        "./penstock run pretended",
        "Packets go by client - isp - box - gateway - web",
        "took more than 80 % of a core",
    ):
        assert words in text, words


def test_a_run_without_a_trustworthy_result_says_so_first(tmp_path: Path) -> None:
    made = run_of(tmp_path, GOOD)
    made["finished"] = False
    made["checks"] = [{"text": "the sky is up", "held": False, "lab": True}]
    manifests.write(tmp_path, made)
    text = _page(tmp_path).text
    assert "This run was ended before it was over" in text
    assert "No trustworthy result: the sky is up." in text
    assert text.index("No trustworthy result") < text.index("In short")


def test_what_the_boxes_did_is_counted_by_rule(tmp_path: Path) -> None:
    run_of(tmp_path, GOOD)
    (tmp_path / "sni-drop").mkdir()
    line = {"t_ns": 1, "box": "box", "flow": "", "packet": 1, "rule": "r<1>", "action": "reset", "verdict": "pass"}
    lines = [json.dumps({**line, "injected": count, "reason": ""}) for count in (6, 6, 0)]
    (tmp_path / "sni-drop" / "decisions.jsonl").write_text("\n".join(lines) + "\n")
    assert "sni-drop r<1> reset pass 3 12" in _page(tmp_path).text


def test_a_half_written_decision_is_left_out(tmp_path: Path) -> None:
    run_of(tmp_path, GOOD)
    (tmp_path / "sni-drop").mkdir()
    (tmp_path / "sni-drop" / "decisions.jsonl").write_text('{"t_ns": 1, "bo')
    assert "What the boxes did" in _page(tmp_path).text


def test_residual_censorship_gets_its_figure(tmp_path: Path) -> None:
    some = [
        *GOOD,
        *rows(1, policy="sni-drop", phase="trigger", target="blocked", failure="connection_reset"),
        *rows(1, policy="sni-drop", phase="residual", after_trigger_s=2.0, failure="connection_reset"),
        *rows(1, policy="sni-drop", phase="residual", after_trigger_s=4.0),
    ]
    run_of(tmp_path, some)
    assert "stayed blocked for that client address for between 2.0 s and 4.0 s" in _page(tmp_path).text
    assert (tmp_path / "figures" / "residual.svg").exists()


def test_a_killed_run_with_no_rows_still_has_a_page(tmp_path: Path) -> None:
    run_of(tmp_path, [])
    assert "not tried" in _page(tmp_path).text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        report.write(tmp_path)
