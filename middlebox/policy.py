"""A policy: one box and its rules, each rule a match, its actions, a memory, a chance and a schedule.

Immutable values; a wrong one cannot be built. How a policy is read from a file is said by `load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

from middlebox.ability import Ability
from middlebox.action import Action, AnswerDns, Log, Slow, unable
from middlebox.match import Match


class PolicyError(ValueError):
    """A policy that contradicts itself."""


class Key(Enum):
    """What a later flow must share with the one that was punished."""

    CLIENT = "client"  #: the client's address
    SERVER = "server"  #: the server's address
    TWO = "2-tuple"  #: client and server address
    THREE = "3-tuple"  #: and the server's port
    FOUR = "4-tuple"  #: and the client's port

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a call into Python for each look-up


class Rearm(Enum):
    """What starts the time of a residual censorship anew."""

    NEVER = "never"
    ON_TRIGGER = "on-trigger"  #: the rule matches again
    ON_PACKET = "on-packet"  #: any packet that shares the key (Iran; Bock et al., WOOT 2021)


class Start(Enum):
    """The first packet of a later flow that meets the residual action."""

    SYN = "syn"
    ESTABLISHED = "established"  #: the client's first packet after its SYN
    DATA = "data"  #: the client's first packet with payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Residual censorship: what happens to later flows after a rule has matched."""

    duration_ns: int | None  #: None: for ever
    key: Key
    rearm: Rearm = Rearm.NEVER
    actions: tuple[Action, ...] = ()  #: empty: those of the rule
    start: Start = Start.SYN
    coverage: float = 1.0  #: share of later flows that meet it, drawn for each flow
    delay_ns: int = 0  #: from the trigger to the first flow that meets it


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A daily window of time; one that ends before it begins runs over midnight."""

    begin_s: int  #: seconds after midnight
    end_s: int

    def inside_s(self, second: int) -> int | None:
        """For how many seconds it has been open at this second of a day; None: it is closed."""
        length = self.end_s - self.begin_s + (DAY_S if self.begin_s > self.end_s else 0)
        inside = (second - self.begin_s) % DAY_S
        return inside if inside < length else None


DAY_S: Final = 86_400
_ALL_DAY = (Window(begin_s=0, end_s=DAY_S),)
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cycle:
    """Awake and asleep in turn, awake first, from when the phase or the box began."""

    awake_ns: int
    asleep_ns: int

    def __post_init__(self) -> None:
        if self.awake_ns <= 0 or self.asleep_ns <= 0:
            raise PolicyError("a cycle needs a time awake and a time asleep, both above 0")


class Moment(NamedTuple):
    """A time in a run."""

    now_ns: int
    phase: str
    since_ns: int  #: when the phase began; before the first one, when the box was given its first packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a rule is awake: inside a window and on a day, in a phase and in a cycle, each of them if it is named.

    A window over midnight belongs to the day on which it opens: that of Thursday, 22:00-02:00, closes on Friday.
    """

    windows: tuple[Window, ...] = ()
    days: frozenset[int] = frozenset()  #: 0: Monday
    phases: frozenset[str] = frozenset()
    utc_offset_s: int = 0
    cycle: Cycle | None = None

    def awake(self, now_ns: int, phase: str, since_ns: int = 0) -> bool:
        """`now_ns`, and `since_ns`, when the phase or the box began: since 1970-01-01 UTC."""
        if self.phases and phase not in self.phases:
            return False
        if self.cycle is not None:
            turn = self.cycle.awake_ns + self.cycle.asleep_ns
            if max(0, now_ns - since_ns) % turn >= self.cycle.awake_ns:
                return False
        if not self.windows and not self.days:
            return True
        return self._opened_s(now_ns // _NS) is not None

    def woke_ns(self, now_ns: int, since_ns: int) -> int:
        """When a rule that is awake now woke: with its turn, with its hours and days, or with its phase."""
        woke = since_ns
        if self.cycle is not None:
            turn = self.cycle.awake_ns + self.cycle.asleep_ns
            woke = now_ns - max(0, now_ns - since_ns) % turn
        if not self.windows and not self.days:
            return woke
        opened = first = now_ns // _NS + 1
        while opened * _NS > woke and first - opened <= 7 * DAY_S:  # open for a week without a gap: always open
            before = self._opened_s(opened - 1)
            if before is None:
                return opened * _NS
            opened = before
        return woke

    def _opened_s(self, now_s: int) -> int | None:
        """When the first of the windows opened that are open now, by hours and days alone; None: none is open."""
        local = now_s + self.utc_offset_s
        opened = [
            local - inside
            for window in self.windows or _ALL_DAY
            if (inside := window.inside_s(local % DAY_S)) is not None
            and (not self.days or ((local - inside) // DAY_S + 3) % 7 in self.days)  # 1970-01-01 was a Thursday
        ]
        return min(opened) - self.utc_offset_s if opened else None


ALWAYS = Schedule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A rule acts only on flows beyond so many of the flows that it matches within a time."""

    more_than: int
    within_ns: int
    per: Key  #: the flows that are counted together


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One clause: its question, its answer, and what stays behind."""

    name: str
    match: Match
    actions: tuple[Action, ...]
    memory: Memory | None = None
    chance: float = 1.0  #: share of flows, drawn for each flow
    when: Schedule = ALWAYS
    threshold: Threshold | None = None

    def __post_init__(self) -> None:
        if not self.actions:
            raise PolicyError(f"rule '{self.name}' does nothing: give it an action")
        if not 0 < self.chance <= 1:
            raise PolicyError(f"rule '{self.name}': the chance is {self.chance}; it must lie above 0 and up to 1")
        if any(isinstance(action, AnswerDns) for action in self.actions) and not any(
            name.startswith("dns.") for name in self.match.fields()
        ):
            raise PolicyError(f"rule '{self.name}' answers DNS but does not match on a dns.* field: nothing to answer")

    @property
    def asks(self) -> frozenset[str]:
        """The protocols whose facts this rule waits for ("tls")."""
        from middlebox.fields import protocol_of

        return frozenset(name for name in map(protocol_of, self.match.fields()) if name)

    @property
    def slows(self) -> bool:
        """True if it does nothing but slow flows down."""
        slow = [isinstance(action, Slow) for action in self.actions if not isinstance(action, Log)]
        return bool(slow) and all(slow)

    @property
    def action_text(self) -> str:
        return "+".join(action.word for action in self.actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One box and its rules; the first rule that matches decides."""

    name: str
    about: str = ""
    ability: Ability = field(default_factory=Ability)
    rules: tuple[Rule, ...] = ()
    #: name of a list -> its entries, for people and for the lab's DNS; the matches hold their own
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source_text: str = ""  #: the file as it was read
    path: Path | None = None

    def __post_init__(self) -> None:
        names: set[str] = set()
        for rule in self.rules:
            if rule.name in names:
                raise PolicyError(f"two rules are called '{rule.name}'")
            names.add(rule.name)
        for rule in self.rules:
            every = rule.actions + (rule.memory.actions if rule.memory else ())
            for action in every:
                why = unable(self.ability, action)
                if why:
                    raise PolicyError(f"rule '{rule.name}': {why}")

    @staticmethod
    def load(name_or_path: str | Path) -> Policy:
        """Read a shipped policy by its name or any policy by its path; raises `middlebox.load.LoadError`."""
        from middlebox.load import load

        return load(name_or_path)

    def sentences(self) -> list[str]:
        """The policy read back, a sentence at a time."""
        from middlebox.sentences import sentences

        return sentences(self)
