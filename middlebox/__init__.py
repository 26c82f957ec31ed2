"""The censor: a sans-IO engine that decides on packets under a policy. It imports nothing of the testbed."""
