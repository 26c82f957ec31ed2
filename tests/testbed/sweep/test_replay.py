"""The backend that asks the censor alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from middlebox.drivers.capture import Writer
from testbed.sweep import planning, replay
from testbed.sweep.conversations import Talk, packets
from testbed.sweep.values import Span
from tests.testbed.sweep.made import parameter, sweep


def only(**said: object) -> list[dict[str, object]]:
    (cell,) = planning.cells(sweep(**said))
    return [dict(row) for row in replay.run(cell)]


def test_a_dropped_flow_is_told_from_an_innocent_one() -> None:
    (struck,) = only()
    assert struck["touched"] is True
    assert struck["rule"] == "sni"
    assert struck["first_touched"] == 3  # SYN, SYN ACK, ACK, then the hello
    assert struck["packets_dropped"] == 5  # all from the hello on
    (spared,) = only(parameters=(parameter("host", "innocent.example"),))
    assert spared["touched"] is False
    assert spared["first_touched"] is None
    assert spared["bytes_passed"] == spared["bytes"]


def test_a_policed_flow_passes_its_bucket_and_its_rate() -> None:
    (row,) = only(
        policies=("throttle-police",),
        workloads=("tls-download",),
        parameters=(parameter("content", "150 kB"), parameter("offered", "1 Mbit/s")),
    )
    seconds = 150_000 / 125_000
    assert row["bytes_passed"] == pytest.approx(16_000 + seconds * 16_000, rel=0.15)
    assert row["packets_dropped"] != 0


def test_a_cell_gives_the_same_rows_each_time_and_another_seed_others() -> None:
    parameters = (parameter("rules.0.chance", "50 %"),)
    assert only(parameters=parameters) == only(parameters=parameters)
    seeds = [only(parameters=parameters, seeds=(range(one, one + 1),))[0]["touched"] for one in range(1, 21)]
    assert 3 < seeds.count(True) < 17


def test_a_capture_is_a_workload_by_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.pcap"
    writer = Writer(path)
    for one in packets("tls-hello", Talk()):
        writer.write(one.t_ns, one.ip or b"")
    writer.close()
    (row,) = only(captures=(str(path),))
    assert row["workload"] == "mine"
    assert {name: value for name, value in row.items() if name != "workload"} == {
        name: value for name, value in only(workloads=("tls-hello",))[0].items() if name != "workload"
    }
    (cell,) = planning.cells(sweep(captures=(str(path),)))
    changed = dataclasses.replace(cell.capture, digest="another") if cell.capture else None
    with pytest.raises(ValueError, match="not the capture any more that the sweep was begun with"):
        replay.run(dataclasses.replace(cell, capture=changed))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"scenario": "sni-filtering"}, "the backend replay has workloads and captures, and no scenario"),
        ({"tools": ("ssh",)}, "tools: the backend replay has none"),
        ({"workloads": ("tls-helo",)}, r"no workload 'tls-helo'; did you mean 'tls-hello'\?"),
        ({"parameters": (parameter("rt", "1 ms"),)}, r"no setting 'rt'; did you mean 'rtt'\?"),
        ({"parameters": (parameter("rtt", "1"),)}, "rtt: found '1'; expected a time with its unit .* like: 1 s"),
        ({"parameters": (parameter("segment", "9000"),)}, "segment: found '9000'; expected a number of bytes from 1"),
    ],
)
def test_what_cannot_be_asked_without_a_network_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sweep(**said)


def test_settings_are_for_conversations_and_not_for_captures(tmp_path: Path) -> None:
    (tmp_path / "c.pcap").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"rtt: a capture's packets are as they were captured"):
        sweep(captures=(str(tmp_path / "c.pcap"),), parameters=(parameter("rtt", "1 ms"),))


def test_both_ends_of_a_span_are_tried() -> None:
    from testbed.sweep.values import Parameter

    with pytest.raises(ValueError, match="segment: found '2000'"):
        sweep(parameters=(Parameter("segment", Span(10, 2000, decimals=False)),), draws=5)
