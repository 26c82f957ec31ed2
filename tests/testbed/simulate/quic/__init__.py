"""Tests of `testbed.simulate.quic`."""
