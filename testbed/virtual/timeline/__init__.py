"""Timelines in virtual time: people, their tools and their probes as SimPy processes.

Phases, rows, words and reports are those of `testbed.timeline`; what is here is what takes time.
"""
