"""Lists: names in one form, networks, and the place of each entry."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from middlebox.grammar.entries import LIST, host_name
from middlebox.grammar.shape import Context, Mismatch, Refused
from tests.middlebox.grammar.reading import read


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("blocked.example", "blocked.example"),
        ("Blocked.EXAMPLE.", "blocked.example"),
        ("bücher.example", "xn--bcher-kva.example"),  # RFC 3492, 7.1 has the family of it
        ("правда.example", "xn--80aafi6cg.example"),
        ("_dmarc.blocked.example", "_dmarc.blocked.example"),
        ("ru.", "ru"),
        ("1.example", "1.example"),
    ],
)
def test_names_are_written_as_dissectors_give_them(text: str, name: str) -> None:
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("*.blocked.example", "write blocked.example and match it with 'under'"),
        ("https://blocked.example/x", "a name alone, without scheme and path: blocked.example"),
        ("203.0.113.5", "that is an address"),
        ("2001:db8::1", "match addresses with server.ip"),
        ("blocked.example:443", "ports with server.port"),
        ("two words", "letters, digits and hyphens"),
        ("-x.example", "letters, digits and hyphens"),
        ("a..b", "letters, digits and hyphens"),
        (f"{'a' * 64}.example", "in labels of 1 to 63"),
        (f"{'a.' * 130}example", "letters, digits and hyphens"),
        ("", "letters, digits and hyphens"),
        ("ü" * 70 + ".example", "cannot be written in ASCII"),
    ],
)
def test_what_is_no_name_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(Mismatch) as caught:
        host_name(text)
    assert hint in str(caught.value)


def test_a_list_file_has_an_entry_a_line_and_each_knows_its_place(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("# head\n203.0.113.0/24\n\n  198.51.100.7   # one\nwrong\n", encoding="utf-8")
    context = Context(folder=tmp_path)
    entries = read(LIST, '[192.0.2.1, "file:more.txt"]', context)
    assert entries.texts == ["192.0.2.1", "203.0.113.0/24", "198.51.100.7", "wrong"]
    with pytest.raises(Refused):
        entries.networks(context)
    (problem,) = context.problems
    assert str(problem.place) == f"{tmp_path}/more.txt:5:1"
    assert problem.excerpt == "wrong"
    assert str(entries.place_of(0)) == "x.yaml:1:2"


def test_entries_are_names_or_networks_as_they_are_asked_for(tmp_path: Path) -> None:
    context = Context(folder=tmp_path)
    assert read(LIST, "[Blocked.Example]", context).names(context) == ("blocked.example",)
    assert read(LIST, "203.0.113.5", context).networks(context) == (ip_network("203.0.113.5/32"),)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "does not exist"), (b"\xff\xfe", "it is not UTF-8 text"), (b"# none\n", "has no entries")],
)
def test_a_list_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "names.txt").write_bytes(content)
    context = Context(folder=tmp_path)
    with pytest.raises(Refused):
        read(LIST, '["file:names.txt"]', context)
    assert said in context.problems[0].found


def test_many_wrong_entries_do_not_fill_the_message(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("not a name\n" * 1_000, encoding="utf-8")
    context = Context(folder=tmp_path)
    with pytest.raises(Refused):
        read(LIST, '["file:names.txt"]', context).names(context)
    assert len(context.problems) == 20
