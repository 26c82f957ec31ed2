"""Scenarios that run along a timeline: people who do things, one after another, while a censor changes its mind.

`values` says what such a scenario is; `run` measures it. What it means is said by `matrix` (tools under policies) and
`symptoms` (what people notice).
"""
