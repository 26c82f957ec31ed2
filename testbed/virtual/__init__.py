"""Scenarios in virtual time: the attempts, the applications and the probing of a run as SimPy processes.

The network below is `testbed.simulate`; scenarios, rows, judgements and reports are those of runs in a lab.
"""
