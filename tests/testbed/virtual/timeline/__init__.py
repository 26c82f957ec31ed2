"""Timelines in virtual time."""
