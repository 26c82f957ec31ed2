"""Messages: place, found, expected, suggestion, the line itself."""

from __future__ import annotations

from middlebox.grammar.problem import MAX_EXCERPT, LoadError, Place, Problem, listed, near


def test_a_message_shows_the_line_with_a_mark_under_the_place() -> None:
    problem = Problem(
        place=Place("a.yaml", 12, 3), found="'x'", expected="'y'", suggestion="did you mean 'y'?", excerpt="  x: 1"
    )
    assert str(problem).splitlines() == [
        "a.yaml:12:3: found 'x'; expected 'y'; did you mean 'y'?",
        "    12 |   x: 1",
        "       |   ^",
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert str(Problem(place=Place("a.yaml"), found="an empty file", expected="")) == "a.yaml: found an empty file"


def test_of_a_long_line_the_part_around_the_place_is_shown() -> None:
    line = "x" * 5_000 + "HERE" + "y" * 5_000
    problem = Problem(place=Place("a.yaml", 1, 5_001), found="it", expected="", excerpt=line)
    _, shown, mark = str(problem).splitlines()
    assert len(shown) < MAX_EXCERPT + 20
    assert shown[mark.index("^") :].startswith("HERE")


def test_an_error_is_a_value_error_with_all_its_problems() -> None:
    problems = [Problem(place=Place("a.yaml", n, 1), found=str(n), expected="") for n in range(1, 23)]
    error = LoadError(problems)
    assert isinstance(error, ValueError)
    assert error.problems == problems
    assert str(error).endswith("a.yaml:20:1: found 20\n... and 2 more problems in a.yaml")


def test_near_words_are_suggested_and_far_ones_are_not() -> None:
    assert near("reasembly", ["reassembly", "reaction"]) == "did you mean 'reassembly'?"
    assert near("to_server", ["to-server", "to-client"]) == "did you mean 'to-server'?"
    assert near("PACKET", ["packet"]) == "did you mean 'packet'?"
    assert near("banana", ["packet", "flow"]) == ""


def test_words_are_listed_as_people_list_them() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b or c"
    assert listed(["a", "b"], "and") == "a and b"
