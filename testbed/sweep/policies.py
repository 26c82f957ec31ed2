"""The policies of a sweep: found, varied at their dotted paths, and loaded again with the loader's own errors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from middlebox.grammar.problem import LoadError
from middlebox.load import load_text, load_whole, locate
from middlebox.policy import Policy
from testbed.sweep.substituting import substitute
from testbed.sweep.values import Chosen, Parameter, canonical, digest, of_policy


def choose(name: str) -> Chosen:
    """A shipped policy or a file; raises `LoadError`."""
    path, shown = locate(name)
    policy = load_whole(name).policy
    return Chosen(policy.name, policy.source_text, path.resolve(), shown, _lists(policy))


@lru_cache(maxsize=32)
def of_cell(chosen: Chosen, values: tuple[tuple[str, str], ...]) -> Policy:
    """The policy with these values at these paths; raises `LoadError`, or `ValueError` if its lists are others now."""
    if not values:
        policy = load_text(chosen.text, chosen.path, chosen.shown).policy
        if _lists(policy) != chosen.lists:
            raise ValueError(f"{chosen.shown}: the files of its lists are not those any more that the sweep began with")
        return policy
    of_cell(chosen, ())
    return load_text(substitute(chosen.text, dict(values), chosen.shown), chosen.path, chosen.shown).policy


def check(policies: Sequence[Chosen], parameters: Sequence[Parameter]) -> None:
    """Try each value of each parameter, one at a time, in each policy; raises `ValueError` with the first that fails.

    Values that are wrong only together are found when their cell is run.
    """
    for chosen in policies:
        together = {one.name: one.shown[0] for one in parameters if of_policy(one.name)}
        substitute(chosen.text, together, chosen.shown)  # two paths to one place
        for one in parameters:
            if not of_policy(one.name):
                continue
            for value in one.shown:
                try:
                    of_cell(chosen, ((one.name, value),))
                except LoadError as error:
                    raise ValueError(f"with {one.name}={value}:\n{error}") from None


def _lists(policy: Policy) -> str:
    return digest(canonical({name: list(entries) for name, entries in policy.lists.items()}))
