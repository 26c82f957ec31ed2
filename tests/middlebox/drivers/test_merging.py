"""The workers' captures and logs put together: in the order of time, with the numbers of the whole."""

from __future__ import annotations

import json
from pathlib import Path

from middlebox.drivers.capture import Writer, read_packets
from middlebox.drivers.log import decisions
from middlebox.drivers.merging import merge
from tests.middlebox.drivers.traffic import captured


def _row(box: str, packet: int, t_ns: int) -> str:
    return json.dumps({"t_ns": t_ns, "box": box, "flow": "é", "packet": packet}) + "\n"


def _worker(folder: Path, number: int, times: list[int], decided: list[int]) -> None:
    name = f"box.{number}"
    with Writer(folder / f"{name}.pcap") as capture:
        for at in times:
            capture.write(at, b"\x45" + bytes(19) + bytes([number, at % 256]))
    (folder / f"{name}.jsonl").write_text("".join(_row(name, one, times[one]) for one in decided))


def test_packets_come_in_the_order_of_time_and_decisions_have_their_numbers(tmp_path: Path) -> None:
    _worker(tmp_path, 0, [5, 9, 9_000_000_001], [0, 2])
    _worker(tmp_path, 1, [6, 7, 10], [0, 1, 2])
    (tmp_path / "decisions.jsonl").write_text(_row("other", 3, 1))
    before = decisions(tmp_path)
    assert [one["box"] for one in before] == ["other", "box.0", "box.1", "box.1", "box.1", "box.0"]
    assert merge(tmp_path, "box", 2) == 6
    assert [at for at, _ in captured(tmp_path)] == [5, 6, 7, 9, 10, 9_000_000_001]
    assert [packet.ip[20] for packet in read_packets(tmp_path / "box.pcap") if packet.ip] == [0, 1, 1, 0, 1, 0]
    wanted = [_row("other", 3, 1)]
    wanted += [_row("box", packet, at) for packet, at in ((0, 5), (1, 6), (2, 7), (4, 10), (5, 9_000_000_001))]
    assert (tmp_path / "decisions.jsonl").read_text() == "".join(wanted)
    assert decisions(tmp_path) == [json.loads(line) for line in wanted]


def test_what_a_killed_worker_left_half_written_is_left_out(tmp_path: Path) -> None:
    _worker(tmp_path, 0, [5, 9], [0, 1])
    _worker(tmp_path, 1, [6, 7], [0])
    for path in (tmp_path / "box.0.pcap", tmp_path / "box.0.jsonl"):
        path.write_bytes(path.read_bytes()[:-3])
    assert merge(tmp_path, "box", 2) == 3
    assert [at for at, _ in captured(tmp_path)] == [5, 6, 7]
    assert (tmp_path / "decisions.jsonl").read_text() == _row("box", 0, 5) + _row("box", 1, 6)


def test_workers_that_met_no_packet_leave_an_empty_capture(tmp_path: Path) -> None:
    _worker(tmp_path, 0, [], [])
    _worker(tmp_path, 1, [], [])
    assert merge(tmp_path, "box", 2) == 0
    assert list(read_packets(tmp_path / "box.pcap")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("box.0.jsonl", "box.0.pcap", "box.1.jsonl", "box.1.pcap"),
        *("box.pcap", "decisions.jsonl"),
    ]
