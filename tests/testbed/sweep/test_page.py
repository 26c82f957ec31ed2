"""The report of a sweep."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from testbed.sweep import campaign, manifest, page, planning, table
from testbed.sweep.engines import Here
from testbed.sweep.store import Store
from testbed.sweep.values import Sweep
from tests.testbed.sweep.made import parameter, sweep

pytest.importorskip("pyarrow", reason="pyarrow is not installed (the extra 'sweep')")


def made() -> Sweep:
    return sweep(
        name="chances",
        about="<how> much & why",
        workloads=("tls-hello", "http-get"),
        parameters=(parameter("rules.0.chance", "10 %", "90 %"), parameter("rtt", "1 ms", "20 ms")),
        seeds=(range(1, 4),),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    store, one = Store(folder), made()
    campaign.run(one, store, Here(), shard=planning.Shard())
    cells = list(planning.cells(one))
    (folder / "cells" / cells[0].id[:2] / cells[0].id / "rows.json").unlink()
    store.set_aside(cells[0], "Traceback\nRuntimeError: <broken>\n")
    store.write(manifest.begin(one, command=["sweep", "chances.yaml"], cells=len(cells)))
    there, missing = table.write(one, store)
    store.write({**store.read(), "table": {"cells": there, "missing": missing}})
    page.write(folder)
    return folder


def test_the_page_stands_alone_and_shows_heat_maps_and_curves(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|src=|href=\"http", text)
    assert "&lt;how&gt; much &amp; why" in text
    for title in ("flows that a rule met", "share of a flow&#x27;s bytes that left the box, median"):
        assert f"<h2>{title}</h2>" in text
    names = sorted(path.stem for path in (folder / "figures").glob("*.svg"))
    assert names == sorted(
        f"{measure}-by-{what}"
        for measure in ("touched", "passed-share", "throughput")
        for what in ("rules-0-chance", "rtt", "rules-0-chance-and-rtt")
    )
    for path in (folder / "figures").glob("*.svg"):
        ET.parse(path)
    assert text.count("<figure>") == 9


def test_the_page_says_what_is_missing_and_why(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "Missing cells: 1." in text
    assert "RuntimeError: &lt;broken&gt;" in text
    assert "./penstock sweep chances.yaml" in text


def test_the_page_says_which_heat_maps_it_leaves_out(tmp_path: Path) -> None:
    names = ("rules.0.chance", "rtt", "content", "segment")
    values = (("10 %", "90 %"), ("1 ms", "2 ms"), ("1 kB", "2 kB"), ("100", "200"))
    one = sweep(parameters=tuple(parameter(name, *some) for name, some in zip(names, values, strict=True)))
    store = Store(tmp_path)
    campaign.run(one, store, Here(), shard=planning.Shard())
    store.write(manifest.begin(one, command=["sweep"], cells=16))
    table.write(one, store)
    page.write(tmp_path)
    assert "heat maps for the first 3 of 6 pairs" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_is_the_same_when_it_is_made_again(folder: Path) -> None:
    before = (folder / "report.html").read_bytes()
    page.write(folder)
    assert (folder / "report.html").read_bytes() == before


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        page.write(tmp_path)
