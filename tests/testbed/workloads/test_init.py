"""The list of workloads."""

import pytest

from testbed.workloads import WORKLOADS, register


def test_each_workload_is_known_by_its_own_name() -> None:
    web, bulk = {"web", "web-nosni", "web-chrome", "web-h3", "dns"}, {"web-object", "download", "upload"}
    chat, speed = {"chat-text", "media-fetch", "media-send"}, {"speed-test-down", "speed-test-up"}
    assert set(WORKLOADS) == web | bulk | chat | speed | {"round-trips", "round-trips-under-load", "video", "call"}
    assert all(name == workload.name for name, workload in WORKLOADS.items())


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="two workloads are called 'dns'"):
        register(WORKLOADS["dns"])
