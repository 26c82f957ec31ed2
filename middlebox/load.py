"""Reads a policy file into a `Policy`, or says everything that is wrong with it.

The grammar is in `grammar`; here are the file, its name, and what can only be judged when all parts are known.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from middlebox.grammar.document import DOCUMENT, Source, matches_everything
from middlebox.grammar.problem import LoadError, Place, Problem, listed, near
from middlebox.grammar.shape import Context, Refused
from middlebox.grammar.source import Mapping, Node, Sequence, parse
from middlebox.policy import Policy, PolicyError, Rule

__all__ = ["LoadError", "Loaded", "Problem", "Source", "load", "load_text", "load_whole", "locate", "shipped"]

PROFILES = Path(__file__).parent / "profiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A policy, and what else its file says."""

    policy: Policy
    sources: tuple[Source, ...] = ()
    warnings: tuple[Problem, ...] = ()  #: what is allowed, but hardly meant


def shipped() -> dict[str, Path]:
    """The policies that come with penstock, by name."""
    return {path.stem: path for path in sorted(PROFILES.glob("*.yaml"), key=lambda path: path.stem)}


def load(name_or_path: str | Path) -> Policy:
    """Read a shipped policy by its name, or any policy by its path; raises `LoadError`."""
    return load_whole(name_or_path).policy


def load_whole(name_or_path: str | Path) -> Loaded:
    """The same, with the file's sources and the warnings about it."""
    path, shown = locate(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _alone(shown, f"bytes that are not UTF-8 (at byte {error.start})", "a policy file in UTF-8") from None
    except OSError as error:
        raise _alone(shown, f"a policy file that cannot be read: {error.strerror}", "a policy file") from None
    return load_text(text, path, shown)


def load_text(text: str, path: Path, shown: str) -> Loaded:
    """The same from a text, as if it stood in the file at `path`, which messages call `shown`."""
    root = parse(text, shown)
    context = Context(folder=path.parent, lines={shown: text.splitlines()})
    values: dict[str, object] = {}
    with suppress(Refused):
        values = DOCUMENT.values(root, context)
    _refuse(context, shown)
    rules = values.get("rules", ())
    assert isinstance(root, Mapping)
    assert isinstance(rules, tuple)
    _rules_agree(rules, root, context)
    _unused(root, context)
    _refuse(context, shown)
    sources = values.get("sources", ())
    assert isinstance(sources, tuple)
    try:
        policy = Policy(
            name=str(values["name"]),
            about=str(values.get("about", "")),
            ability=context.ability,
            rules=rules,
            lists={name: entries.shown() for name, entries in context.lists.items()},
            source_text=text,
            path=path,
        )
    except PolicyError as error:
        raise _alone(shown, f"a policy that contradicts itself: {error}", "") from None
    return Loaded(policy=policy, sources=sources, warnings=tuple(context.warnings))


def _refuse(context: Context, file: str) -> None:
    """Raise if there are problems, in the order of the file; those of list files come last."""
    if context.problems:
        places = [(problem.file != file, problem.file, problem.line, problem.column) for problem in context.problems]
        order = sorted(range(len(places)), key=places.__getitem__)
        raise LoadError(context.problems[index] for index in order)


def _alone(file: str, found: str, expected: str, suggestion: str = "") -> LoadError:
    return LoadError([Problem(place=Place(file), found=found, expected=expected, suggestion=suggestion)])


def locate(name_or_path: str | Path) -> tuple[Path, str]:
    """The file, and how to call it in messages; raises `LoadError`."""
    text = str(name_or_path)
    known = shipped()
    if isinstance(name_or_path, str) and text in known:
        return known[text], known[text].name
    path = Path(name_or_path)
    if path.is_file():
        return path, text
    if path.exists():
        raise _alone(text, "a folder" if path.is_dir() else "something that is no regular file", "a policy file")
    if isinstance(name_or_path, Path) or os.sep in text or path.suffix in (".yaml", ".yml"):
        folder = path.parent
        beside = [one.name for one in folder.glob("*.y*ml")] if folder.is_dir() else []
        like = near(path.name, beside) or near(path.stem, known)
        raise _alone(text, "no file of that name", "a policy file", like)
    raise _alone(text, "neither a shipped policy nor a file", f"a path, or one of {listed(known)}", near(text, known))


def _rules_agree(rules: tuple[Rule, ...], root: Mapping, context: Context) -> None:
    """Refuse two rules of one name; warn of rules that are never asked."""
    node = root.get("rules")
    items: tuple[Node, ...] = node.items if isinstance(node, Sequence) else ()
    seen: dict[str, Place] = {}
    last: Rule | None = None
    for rule, item in zip(rules, items, strict=True):
        assert isinstance(item, Mapping)
        place = (item.get("name") or item).place
        if rule.name in seen:
            context.refuse(
                place,
                f"a second rule called '{rule.name}'",
                f"each name once (the first is in line {seen[rule.name].line})",
            )
        seen.setdefault(rule.name, place)
        if last is not None:
            context.warn(
                place,
                f"the rule '{rule.name}', which is never asked",
                "",
                f"the rule '{last.name}' before it matches every packet",
            )
        if last is None and matches_everything(rule):
            last = rule
    if not rules:
        context.warn((node or root).place, "a policy without rules", "", "it lets everything pass")


def _unused(root: Mapping, context: Context) -> None:
    for name, entries in context.lists.items():
        if not entries.used:
            context.warn(entries.place, f"the list '{name}', which no rule uses", "")
    declared = {**context.ability.injectors, **context.ability.dns_injectors}
    box = root.get("box")
    for name in declared:
        if name not in context.injectors_used:
            place = root.place
            for word in ("injectors", "dns_injectors"):
                table = box.get(word) if isinstance(box, Mapping) else None
                found = [key.place for key, _ in table.pairs if key.text == name] if isinstance(table, Mapping) else []
                place = found[0] if found else place
            context.warn(place, f"the injector '{name}', which no rule uses", "")
