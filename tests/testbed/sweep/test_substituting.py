"""Values put at dotted paths into a policy's text."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from middlebox.load import LoadError, load_text, locate
from testbed.sweep.substituting import substitute

PATH, SHOWN = locate("throttle-police")
TEXT = PATH.read_text(encoding="utf-8")


def changed(**values: str) -> list[tuple[str, str]]:
    new = substitute(TEXT, {name.replace("__", "."): value for name, value in values.items()}, SHOWN)
    before, after = TEXT.splitlines(), new.splitlines()
    assert len(before) == len(after)
    return [(old, fresh) for old, fresh in zip(before, after, strict=True) if old != fresh]


def test_a_value_takes_the_place_of_another_and_all_else_stays_as_it_is() -> None:
    assert changed(rules__0__action__police__rate="64 kbit/s") == [
        (
            "    action: {police: {rate: 128 kbit/s, burst: 16 kB, per: flow}}",
            "    action: {police: {rate: 64 kbit/s, burst: 16 kB, per: flow}}",
        )
    ]


def test_a_rule_is_found_by_its_name_and_a_key_may_have_dots() -> None:
    assert changed(rules__policer__match__tls__sni__under="'other'") == [
        (
            "    match: {initiator: inside, tls.sni: {under: slowed}}",
            "    match: {initiator: inside, tls.sni: {under: '''other'''}}",
        )
    ]


def test_missing_keys_are_added_side_by_side() -> None:
    new = substitute(TEXT, {"rules.0.chance": "50 %", "rules.0.when": "x", "box.inspect.window": "3"}, SHOWN)
    root = YAML(typ="safe", pure=True).load(new)
    assert root["rules"][0]["chance"] == "50 %"
    assert root["rules"][0]["when"] == "x"
    assert root["rules"][0]["name"] == "policer"
    assert root["box"]["inspect"]["window"] == 3


@pytest.mark.parametrize("value", ["a, b", "*", "x: y", "a # b", "{a: 1}", "it's", "", "'quoted'"])
def test_a_value_that_is_not_plain_yaml_is_quoted(value: str) -> None:
    new = substitute(TEXT, {"lists.slowed.0": value}, SHOWN)
    assert YAML(typ="safe", pure=True).load(new)["lists"]["slowed"] == [value]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "rules.0.action.polce.rate",
            "throttle-police.yaml:34:13: found no 'polce' for the path 'rules.0.action.polce.rate'; expected police; "
            "did you mean 'police'?",
        ),
        (
            "rules.0.action.police",
            "throttle-police.yaml:34:22: found a mapping at 'rules.0.action.police'; expected the path of a single "
            "value; such as rules.0.action.police.rate",
        ),
        (
            "rules.1.chance",
            "throttle-police.yaml:32:3: found no item '1' for the path 'rules.1.chance'; expected the number 0, or a "
            "name: policer",
        ),
        (
            "rules.0.name.x",
            "throttle-police.yaml:32:11: found nothing below 'rules.0.name'; expected a path that ends there",
        ),
        (
            "lists.slowed",
            "throttle-police.yaml:30:11: found a list at 'lists.slowed'; expected the path of a single value; such as "
            "lists.slowed.0",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_its_line(path: str, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        substitute(TEXT, {path: "1"}, SHOWN)
    assert str(caught.value).splitlines()[0] == message


def test_two_paths_to_one_place_are_refused() -> None:
    with pytest.raises(LoadError, match=r"'rules\.policer\.name', a place that another path names too"):
        substitute(TEXT, {"rules.0.name": "a", "rules.policer.name": "b"}, SHOWN)


def test_the_loader_still_names_the_line_of_the_file() -> None:
    with pytest.raises(LoadError) as caught:
        load_text(substitute(TEXT, {"rules.0.action.police.rate": "64"}, SHOWN), PATH, SHOWN)
    assert str(caught.value).startswith("throttle-police.yaml:34:29: found '64'; expected a rate with its unit")
