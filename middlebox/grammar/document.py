"""The words of a whole policy file: name, about, sources, box, lists, rules. They become the values of `policy`."""

from __future__ import annotations

from dataclasses import dataclass

from middlebox.action import Action, AnswerIcmp, Drop, Hold, Log, Pass, Rewrite, Slow
from middlebox.grammar.box import BOX
from middlebox.grammar.clock import OFFSET, WINDOW_SCHEMA, day_window
from middlebox.grammar.collection import ListOf, Record, Table, key
from middlebox.grammar.doing import ACTIONS, action_schema, refuse_useless
from middlebox.grammar.entries import LIST, Entries
from middlebox.grammar.matching import MATCH, match_schema
from middlebox.grammar.shape import NAME, TEXT, Context, Leaf, Mismatch, Refused, Schema, Shape, become, words
from middlebox.grammar.source import Mapping, Node, Scalar
from middlebox.grammar.units import SHARE, TIME, integer
from middlebox.match import All
from middlebox.policy import ALWAYS, Cycle, Key, Memory, PolicyError, Rearm, Rule, Schedule, Start, Threshold, Window
from middlebox.verdict import Direction

DAYS: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: how good a source is
GRADES: dict[str, str] = {
    "P": "primary: the paper, the authors' page or their data was read",
    "S": "secondary: notes or documents that quote the primary source",
    "AI": "extracted from the source by a machine, not verified",
    "N": "news or a regulator's statement",
    "U": "unconfirmed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one number or behaviour of a profile comes from."""

    what: str
    source: str
    grade: str = "U"
    url: str = ""


SOURCE: Record[Source] = Record(
    "a source",
    (
        key("what", TEXT, "the number or behaviour", required=True),
        key("grade", words({grade: grade for grade in GRADES}), "; ".join(f"{g}: {t}" for g, t in GRADES.items())),
        key("source", TEXT, "where it is said", required=True),
        key("url", TEXT, "the address of it"),
    ),
    Source,
)


def _duration(node: Scalar) -> int | None:
    if node.text == "forever":
        return None
    try:
        return TIME.parse(node)
    except Mismatch as error:
        raise Mismatch(f"{error}, or: forever" if str(error) else "") from None


_TIME_OR_FOREVER: Leaf[int | None] = Leaf(
    "a time with its unit such as '120 s', or 'forever'",
    _duration,
    {"anyOf": [{"const": "forever"}, TIME.schema()]},
)

_KEYS: Leaf[Key] = words({one.value: one for one in Key})
_WIDE_KEYS: Leaf[Key] = words({one.value: one for one in Key if one is not Key.FOUR})
_REARM: Leaf[Rearm] = words({one.value: one for one in Rearm})
_START: Leaf[Start] = words({one.value: one for one in Start})

MEMORY: Record[dict[str, object]] = Record(
    "memory",
    (
        key("for", _TIME_OR_FOREVER, "how long", "duration_ns", required=True),
        key("key", _KEYS, "what a later flow must share with the one that was struck", required=True),
        key("rearm", _REARM, "what starts the time anew"),
        key("action", ACTIONS, "what is done to later flows; left out: the rule's own actions", "actions"),
        key(
            "start",
            _START,
            "the first packet of a later flow that meets it; left out: established for what injects, else syn",
        ),
        key("coverage", SHARE, "share of later flows that meet it, drawn for each flow"),
        key("delay", TIME, "from the trigger to the first flow that meets it", "delay_ns"),
    ),
    dict,
    defaults={"rearm": Rearm.NEVER, "coverage": 1.0, "delay_ns": 0},
)


def _window(node: Scalar) -> Window:
    begin, end = day_window(node)
    return Window(begin_s=begin, end_s=end)


def _turns(values: dict[str, object], node: Mapping, context: Context) -> None:
    for word in ("awake_ns", "asleep_ns"):
        if not values[word]:
            context.refuse(node.place, "a cycle with a part that takes no time", "two times above 0")


_CYCLE: Record[Cycle] = Record(
    "cycle",
    (
        key("awake", TIME, "how long it is awake, first", "awake_ns", required=True),
        key("asleep", TIME, "how long it then sleeps", "asleep_ns", required=True),
    ),
    Cycle,
    check=_turns,
)

WHEN: Record[Schedule] = Record(
    "when",
    (
        key(
            "time",
            ListOf(Leaf("hours such as '08:00-20:00'", _window, WINDOW_SCHEMA), "hours", alone=True),
            "hours of the day",
            "windows",
        ),
        key(
            "days",
            become(ListOf(words({day: n for n, day in enumerate(DAYS)}), "days", alone=True), frozenset),
            "days of the week; hours over midnight belong to the day on which they begin",
        ),
        key("phase", become(ListOf(NAME, "phases", alone=True), frozenset), "phases of the run", "phases"),
        key("cycle", _CYCLE, "awake and asleep in turn, from when the phase or the box began"),
        key("timezone", OFFSET, "hours by which local time is ahead of UTC", "utc_offset_s"),
    ),
    Schedule,
)


THRESHOLD: Record[Threshold] = Record(
    "threshold",
    (
        key("more_than", integer(1, 100_000), "flows that are spared", required=True),
        key("within", TIME, "the time over which flows are counted", "within_ns", required=True),
        key("per", _WIDE_KEYS, "what flows that are counted together share", required=True),
    ),
    Threshold,
)


class RuleShape(Shape[Rule]):
    """One rule."""

    expected = "a rule, a mapping with keys such as name, match and action"
    record: Record[dict[str, object]] = Record(
        "a rule",
        (
            key("name", NAME, "its name, as decisions tell it", required=True),
            key("match", MATCH, "which packets; {}: every packet", required=True),
            key("when", WHEN, "when it is awake; left out: always"),
            key("chance", SHARE, "share of flows, drawn for each flow"),
            key("threshold", THRESHOLD, "it acts only on flows beyond so many that it matches within a time"),
            key("action", ACTIONS, "what is done: one action, or a list of them", "actions", required=True),
            key("memory", MEMORY, "residual censorship: what happens to later flows"),
        ),
        dict,
        defaults={"chance": 1.0},
    )

    def read(self, node: Node, context: Context) -> Rule:
        values = self.record.values(node, context)
        assert isinstance(node, Mapping)
        memory = values.pop("memory", None)
        actions = values["actions"]
        assert isinstance(actions, tuple)
        if memory is not None:
            assert isinstance(memory, dict)
            values["memory"] = _memory(memory, actions, node, context)
        try:
            rule = Rule(**values)  # type: ignore[arg-type]
        except PolicyError as error:
            place = (node.get("action") or node).place
            raise context.refuse(place, "a rule that contradicts itself", "", str(error)) from None
        self._sees(rule, node, context)
        refuse_useless(rule, node.get("action") or node, context)
        return rule

    def _sees(self, rule: Rule, node: Mapping, context: Context) -> None:
        """Refuse a rule on what the client says in a box that does not read the client's side."""
        seen = context.ability.inspect.directions
        if context.box_known and rule.asks and Direction.TO_SERVER not in seen:
            asked = " and ".join(sorted(rule.asks))
            raise context.refuse(
                (node.get("match") or node).place,
                f"a match on {asked} in a policy whose box does not read the client's side",
                "'inspect: {directions: [to-server]}'",
            )

    def schema(self) -> Schema:
        return self.record.schema()


def _memory(values: dict[str, object], of_rule: tuple[Action, ...], node: Mapping, context: Context) -> Memory:
    residual = values.get("actions") or of_rule
    assert isinstance(residual, tuple)
    place = (node.get("memory") or node).place
    if all(isinstance(action, Pass | Log) for action in residual):
        raise context.refuse(
            place, "a memory whose action does nothing to later flows", "an action that does something"
        )
    if "start" not in values:
        stern = any(isinstance(action, Drop | Hold | AnswerIcmp | Rewrite | Slow) for action in residual)
        values = {**values, "start": Start.SYN if stern else Start.ESTABLISHED}
    return Memory(**values)  # type: ignore[arg-type]


RULE = RuleShape()


def _lists(name: str, entries: Entries) -> Entries:
    entries.name = name
    return entries


class _Box(Shape[None]):
    """`box:`: told to the context, so that what follows knows what the box is able to do."""

    expected = BOX.expected

    def read(self, node: Node, context: Context) -> None:
        try:
            context.ability = BOX.read(node, context)
        except Refused:
            context.box_known = False
            raise

    def schema(self) -> Schema:
        return BOX.schema()


class _Lists(Shape[None]):
    """`lists:`: told to the context, so that the rules know their names."""

    table: Table[Entries] = Table("lists", LIST, _lists)
    expected = table.expected

    def read(self, node: Node, context: Context) -> None:
        try:
            context.lists.update(self.table.read(node, context))
        except Refused:
            if isinstance(node, Mapping):
                context.broken_lists.update(word.text for word, _ in node.pairs)
            raise

    def schema(self) -> Schema:
        return self.table.schema()


DOCUMENT: Record[dict[str, object]] = Record(
    "a policy",
    (
        key("name", NAME, "the policy's name", required=True),
        key("about", TEXT, "one sentence"),
        key("sources", ListOf(SOURCE, "sources", least=0), "where its numbers come from"),
        key("box", _Box(), "ability: what the box can see and do"),
        key("lists", _Lists(), "lists of names, networks or numbers; 'file:NAME' takes a file, one entry a line"),
        key("rules", ListOf(RULE, "rules", least=0), "the first rule that matches decides", required=True),
    ),
    dict,
)


def document_schema() -> Schema:
    return {**DOCUMENT.schema(), "$defs": {"match": match_schema(), "action": action_schema()}}


def matches_everything(rule: Rule) -> bool:
    """True if no packet gets past this rule."""
    return (
        isinstance(rule.match, All)
        and not rule.match.parts
        and rule.chance == 1
        and rule.when == ALWAYS
        and rule.threshold is None
        and not rule.slows
        and not all(isinstance(action, Log) for action in rule.actions)
    )
