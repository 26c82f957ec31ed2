"""What is wrong with a policy file: where, what was found, what was expected, what to write instead.

Values and their text; nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

#: problems that one message shows; whoever has more must begin somewhere
MAX_SHOWN = 20
#: characters of a line that are shown
MAX_EXCERPT = 160


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file."""

    file: str  #: as the user named it
    line: int = 0  #: from 1; 0: the file as a whole
    column: int = 0  #: from 1, in characters

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, or that deserves a second look."""

    place: Place
    found: str  #: without "found"
    expected: str  #: without "expected"; "" if that is plain
    suggestion: str = ""
    excerpt: str = ""  #: the line, as it stands in the file

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def line(self) -> int:
        return self.place.line

    @property
    def column(self) -> int:
        return self.place.column

    def __str__(self) -> str:
        said = "; ".join(
            part
            for part in (f"found {self.found}", self.expected and f"expected {self.expected}", self.suggestion)
            if part
        )
        text = f"{self.place}: {said}"
        if self.excerpt:
            shown, at = self._window()
            text += f"\n{self.line:>6} | {shown}\n{'|':>8} {' ' * at}^"
        return text

    def _window(self) -> tuple[str, int]:
        """The part of the line around the place, tabs as one space, and where in it the place is."""
        line = self.excerpt.replace("\t", " ")
        begin = max(0, self.column - 1 - MAX_EXCERPT // 2) if len(line) > MAX_EXCERPT else 0
        shown = line[begin : begin + MAX_EXCERPT]
        head, tail = "..." if begin else "", "..." if begin + MAX_EXCERPT < len(line) else ""
        return f"{head}{shown}{tail}", self.column - 1 - begin + len(head)


class LoadError(ValueError):
    """A policy that cannot be loaded; its text is the whole message."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        shown = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - len(shown)
        if more:
            shown.append(f"... and {more} more problem{'s' if more > 1 else ''} in {self.problems[0].file}")
        super().__init__("\n".join(shown))


def near(word: str, words: Iterable[str]) -> str:
    """The suggestion of a word that looks alike, or ""."""
    known = list(words)
    lower = {one.lower(): one for one in known}
    found = get_close_matches(word.lower().replace("_", "-"), [one.replace("_", "-") for one in lower], 1, 0.6)
    if not found:
        return ""
    back = {one.replace("_", "-"): whole for one, whole in lower.items()}
    return f"did you mean '{back[found[0]]}'?"


def listed(words: Iterable[str], last: str = "or") -> str:
    """Words as people list them: "a, b or c"."""
    every = list(words)
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} {last} {every[-1]}"
