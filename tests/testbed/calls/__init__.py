"""Tests of `testbed.calls`."""
