"""What nft and the kernel say of tables: counters, and errors in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from middlebox.drivers import tables
from middlebox.drivers.tables import TableError, attribute, nft
from tests.middlebox.drivers.three_nodes import ThreeNodes

_COUNT = """
import json, subprocess
from middlebox.drivers.tables import TableError, counters, load
load('''table inet t {
  counter seen { packets 3 bytes 400 }
  counter other { }
}
table inet u {
  counter seen { packets 9 bytes 9 }
}''')
try:
    load("table inet broken {\\n chain a { nonsense; }\\n}")
    said = ""
except TableError as error:
    said = str(error)
print(json.dumps([counters("t"), counters("none"), said]))
"""


@pytest.mark.lab
def test_the_counters_of_one_table_are_read_and_errors_are_one_line(nodes: ThreeNodes) -> None:
    out, _ = nodes.run("box", [sys.executable, "-c", _COUNT])
    mine, none, said = json.loads(out)
    assert mine == {"seen": [3, 400], "other": [0, 0]}
    assert none == {}
    assert "nonsense" in said
    assert "\n" not in said


def test_a_missing_nft_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tables, "FOLDERS", str(tmp_path))
    with pytest.raises(TableError, match="'nft' is missing; on Debian: apt-get install nftables"):
        nft()


def test_attributes_are_padded_to_four_bytes() -> None:
    assert attribute(2, b"abcde") == b"\x09\0\x02\0abcde\0\0\0"
