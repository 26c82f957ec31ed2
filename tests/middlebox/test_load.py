"""Policies from files: what a good one becomes, and the exact message for each faulty one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.ability import Placement
from middlebox.action import Drop, Inject, Scope
from middlebox.load import PROFILES, LoadError, load, load_whole, shipped
from middlebox.match import Test as Leaf
from middlebox.match import Under
from middlebox.packet import ACK, RST
from middlebox.policy import Key, Memory, Policy, Rearm, Start
from middlebox.verdict import Direction

FAULTY = Path(__file__).parent / "faulty"

#: as INTERFACE.md has it
EXAMPLE = """\
name: my-first-censor
about: resets connections that name a blocked site, from the side, and remembers for two minutes
box:                                # ability: what it can see and do
  placement: on-path
  reassembly: {segments: false}
lists:
  banned: [blocked.example, "file:more-names.txt"]
rules:
  - name: sni
    match: {tls.sni: {under: banned}}          # the name or a subdomain of it
    action: {reset: {toward: both, copies: 3}}
    memory: {for: 120 s, key: 3-tuple, rearm: on-trigger}
    chance: 98 %
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def message(folder: Path, text: str) -> str:
    with pytest.raises(LoadError) as caught:
        load(write(folder, text))
    return str(caught.value)


def test_the_example_of_the_readme_becomes_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "more-names.txt").write_text(
        "# more\nother.example\n\nThird.Example.   # a comment\n", encoding="utf-8"
    )
    policy = load(write(tmp_path, EXAMPLE))
    assert policy.name == "my-first-censor"
    assert policy.about.startswith("resets connections")
    assert policy.ability.placement is Placement.ON_PATH
    assert not policy.ability.reassembly.segments
    assert policy.ability.reassembly.records
    assert policy.source_text == EXAMPLE
    assert policy.lists == {"banned": ("blocked.example", "other.example", "third.example")}
    (rule,) = policy.rules
    names = frozenset({"blocked.example", "other.example", "third.example"})
    assert rule.match == Leaf("tls.sni", Under(names))
    (action,) = rule.actions
    assert isinstance(action, Inject)
    (injector,) = action.injectors
    assert (injector.flags, injector.copies, injector.toward) == (RST | ACK, 3, frozenset(Direction))
    assert rule.memory == Memory(
        duration_ns=120_000_000_000, key=Key.THREE, rearm=Rearm.ON_TRIGGER, start=Start.ESTABLISHED
    )
    assert rule.chance == 0.98


@pytest.mark.parametrize("path", sorted(FAULTY.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_faulty_policy_is_refused_with_exactly_this_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FAULTY)
    with pytest.raises(LoadError) as caught:
        load(Path(path.name))
    assert f"{caught.value}\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_each_faulty_policy_says_whether_its_shape_or_its_meaning_is_wrong() -> None:
    for path in FAULTY.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert not text or text.startswith(("# a matter of shape\n", "# a matter of meaning\n")), path.name


def test_the_drop_that_remembers_meets_later_flows_at_their_syn(tmp_path: Path) -> None:
    text = "name: x\nrules:\n  - {name: a, match: {}, action: ACTION, memory: {for: forever, key: client}}\n"
    memory = load(write(tmp_path, text.replace("ACTION", "drop"))).rules[0].memory
    assert memory is not None
    assert (memory.start, memory.duration_ns, memory.rearm) == (Start.SYN, None, Rearm.NEVER)
    memory = load(write(tmp_path, text.replace("ACTION", "fin"))).rules[0].memory
    assert memory is not None
    assert memory.start is Start.ESTABLISHED


def test_a_shipped_name_wins_over_a_file_and_a_path_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sni-drop").write_text("name: mine\nrules: []\n", encoding="utf-8")
    assert load("sni-drop").path == PROFILES / "sni-drop.yaml"
    assert load("./sni-drop").name == "mine"
    assert load(Path("sni-drop")).name == "mine"
    assert Policy.load("sni-drop").rules[0].actions == (Drop(scope=Scope.FLOW),)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sni-drob", "sni-drob: found neither a shipped policy nor a file; expected a path, or one of airtel-http, "),
        ("sni-drob", "; did you mean 'sni-drop'?"),
        ("missing/policy.yaml", "missing/policy.yaml: found no file of that name; expected a policy file"),
        ("gfw-lik.yaml", "did you mean 'gfw-like'?"),
        (".", ".: found a folder; expected a policy file"),
    ],
)
def test_a_policy_that_is_not_there_is_named_with_what_is_near(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError) as caught:
        load(name)
    assert said in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(LoadError, match=r"policy.yaml: found bytes that are not UTF-8 \(at byte 6\)"):
        load(path)


def test_problems_come_in_the_order_of_the_file_and_know_their_place(tmp_path: Path) -> None:
    text = "name: x\nrules:\n  - {name: a, match: {}, action: drip, chance: 2}\nbox: {placement: middle}\n"
    with pytest.raises(LoadError) as caught:
        load(write(tmp_path, text))
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    lines = text.splitlines()
    assert places == [(3, lines[2].index("drip") + 1), (3, lines[2].index("2}") + 1), (4, lines[3].index("middle") + 1)]
    first = caught.value.problems[0]
    assert first.file.endswith("policy.yaml")
    assert first.found == "'drip'"
    assert first.suggestion == "did you mean 'drop'?"
    assert first.excerpt == text.splitlines()[2]


def test_a_message_shows_twenty_problems_and_counts_the_rest(tmp_path: Path) -> None:
    rules = "".join(f"  - {{name: r{n}, match: {{}}, action: nothing}}\n" for n in range(25))
    said = message(tmp_path, f"name: x\nrules:\n{rules}")
    assert said.count("found 'nothing'") == 20
    assert said.endswith("... and 5 more problems in " + str(tmp_path / "policy.yaml"))


def test_what_is_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    text = """\
name: x
box:
  injectors: {one: {}, two: {}}
lists: {banned: [blocked.example], idle: [other.example]}
rules:
  - {name: a, match: {tls.sni: {under: banned}}, action: {reset: {injectors: [one]}}}
  - {name: b, match: {}, action: pass}
  - {name: c, match: {}, action: reset}
"""
    loaded = load_whole(write(tmp_path, text))
    said = [(warning.line, warning.found, warning.suggestion) for warning in loaded.warnings]
    assert said == [
        (8, "the rule 'c', which is never asked", "the rule 'b' before it matches every packet"),
        (4, "the list 'idle', which no rule uses", ""),
        (3, "the injector 'two', which no rule uses", ""),
    ]
    assert not load_whole("gfw-like").warnings


@pytest.mark.parametrize("rest", ["chance: 50 %", "when: {phase: during}"])
def test_a_rule_that_sometimes_lets_packets_by_hides_no_other(tmp_path: Path, rest: str) -> None:
    first, second = f"{{name: a, match: {{}}, action: drop, {rest}}}", "{name: b, match: {}, action: drop}"
    text = f"name: x\nrules:\n  - {first}\n  - {second}\n"
    assert not load_whole(write(tmp_path, text)).warnings


def test_a_hundred_thousand_names_load_fast(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"site{n}.blocked.example\n" for n in range(100_000)), encoding="utf-8")
    path = write(
        tmp_path,
        'name: x\nlists: {banned: ["file:names.txt"]}\n'
        "rules:\n  - {name: a, match: {tls.sni: {under: banned}}, action: drop}\n"
        "  - {name: b, match: {http.host: {under: banned}}, action: drop}\n",
    )
    begin = time.process_time()
    policy = load(path)
    assert time.process_time() - begin < 3  # measured: 0.2 s; the rest is for slow machines
    assert len(policy.lists["banned"]) == 100_000
    leaf = policy.rules[0].match
    assert isinstance(leaf, Leaf)
    assert leaf.operator.holds("www.site99999.blocked.example")
    assert not leaf.operator.holds("site100000.blocked.example")


def test_sources_are_kept_with_their_grades() -> None:
    grades = {source.grade for source in load_whole("gfw-like").sources}
    assert grades == {"P", "S", "AI", "U"}
    assert load_whole("sni-drop").policy.name in shipped()


TEXTS = [path.read_text(encoding="utf-8") for path in sorted(PROFILES.glob("*.yaml"))]
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "&a ",
    "*a",
    "'",
    '"',
    "0",
    "-1",
    "%",
    "~",
    "true",
    "\t",
    "é",
    "|",
    "?",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mutation_of_a_policy_raises_anything_but_a_load_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.integers(0, 12)))
        text = text[:at] + data.draw(st.sampled_from(PIECES)) + text[end:]
    path = write(tmp_path_factory.getbasetemp(), text)
    error: LoadError | None = None
    try:
        load(path)
    except LoadError as caught:
        error = caught
    if error is not None:
        assert all(problem.found for problem in error.problems)
        assert str(error).startswith(str(path))
