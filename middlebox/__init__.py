"""The censor: a sans-IO engine that decides on packets under a policy. It imports nothing of the testbed."""

from middlebox.build import compiled  # first: it knows whether the others lie somewhere compiled
from middlebox.censor import Censor
from middlebox.policy import Policy
from middlebox.verdict import Decision, Direction, Disposition, Emission, Verdict

__all__ = ["Censor", "Decision", "Direction", "Disposition", "Emission", "Policy", "Verdict", "compiled"]
