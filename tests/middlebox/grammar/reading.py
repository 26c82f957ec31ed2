"""One value read by one shape, as the tests of the grammar do it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest

from middlebox.grammar.problem import Problem
from middlebox.grammar.shape import Context, Refused, Shape
from middlebox.grammar.source import parse

T = TypeVar("T")


def read(shape: Shape[T], text: str, context: Context | None = None) -> T:
    """The value of YAML text."""
    return shape.read(parse(text, "x.yaml"), context or Context(folder=Path("/nowhere")))


def refusal(shape: Shape[object], text: str, context: Context | None = None) -> Problem:
    """The one problem with YAML text."""
    context = context or Context(folder=Path("/nowhere"))
    with pytest.raises(Refused):
        shape.read(parse(text, "x.yaml"), context)
    (problem,) = context.problems
    return problem
