"""`penstock sweep`: many runs as one table; a progress bar with the time left, a folder that can be gone on with.

The same command again runs what is missing and nothing else. People's text goes to stderr while it runs.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.cli import NoResultError, UsageError

if TYPE_CHECKING:
    from testbed.sweep.campaign import Tally
    from testbed.sweep.engines import Engine
    from testbed.sweep.planning import Shard
    from testbed.sweep.store import Store
    from testbed.sweep.values import Sweep

HELP = "many runs as one table: policies, tools, workloads, parameters and seeds; 'sweep report' shows it"

_EXAMPLES = """
penstock sweep rates.yaml                          a sweep as a file describes it
penstock sweep --policy throttle-police --set 'rules.0.action.police.rate=64 kbit/s,128 kbit/s' --seeds 1-20
penstock sweep sni-filtering --backend emulate --policy gfw-tls --seeds 1-3
penstock sweep report FOLDER                       the report of its table
penstock sweep merge FOLDER SHARD ...              the shards' folders as one
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "examples:" + _EXAMPLES.replace("\n", "\n  ").rstrip()
    add = parser.add_argument
    add("what", nargs="*", metavar="SCENARIO|FILE", help="a scenario's name, or a file that describes the sweep")
    add("--policy", action="append", metavar="P", help="a shipped policy or a path; again for more")
    add("--tool", action="append", metavar="TOOL", help="targets through it; 'none': without a tool")
    add("--workload", action="append", metavar="W", help="only this workload; again for more")
    add("--capture", action="append", metavar="FILE", help="a capture in place of a workload; again for more")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="vary a place in the policies (rules.0.chance) or a setting; 'LOW..HIGH UNIT [log]' for lhs",
    )
    add("--seeds", metavar="SEEDS", help="such as 1-20 or 1,5,9 (default: 1)")
    add("--design", metavar="DESIGN", help="grid, or lhs:N for N draws of a Latin hypercube (default: grid)")
    add("--design-seed", type=int, metavar="S", help="seed of these draws (default: 1)")
    add("--backend", help="replay, simulate or emulate (default: replay)")
    add("--engine", default="processes", help="processes or dask (default: %(default)s)")
    add("--scheduler", default="", metavar="ADDRESS", help="Dask's, such as tcp://host:8786 (default: one of its own)")
    add("--jobs", type=int, metavar="N", help="processes that work at a time (default: one for each core)")
    add("--shard", default="1/1", metavar="I/N", help="run only this part of the cells (default: %(default)s)")
    add("--retry-failed", action="store_true", help="run cells again that were set aside")
    add("--out", type=Path, metavar="DIR", help="the folder (default: one in runs/ that follows from the sweep)")


def main(args: argparse.Namespace) -> int:
    from testbed.sweep.table import MissingLibraryError, library

    verb = args.what[0] if args.what else ""
    try:
        library()
        if verb == "report":
            return _report(args.what[1:])
        if verb == "merge":
            return _merge(args.what[1:])
    except MissingLibraryError as error:
        raise UsageError(str(error)) from None
    return _sweep(args)


def _sweep(args: argparse.Namespace) -> int:
    from testbed.sweep import campaign, manifest, planning
    from testbed.sweep.engines import EngineError
    from testbed.sweep.progress import Bar
    from testbed.sweep.store import Store
    from testbed.sweep.worker import OtherCodeError

    try:
        sweep = planning.plan(_said(args))
        shard = planning.shard(args.shard)
    except ValueError as error:
        raise UsageError(str(error)) from None
    store = Store(args.out or Path("runs") / f"sweep-{sweep.name}-{manifest.name(sweep)}")
    total = planning.count(sweep)
    print(f"{_cells(total)}, {manifest.varied(sweep)}; into {store.folder}", file=sys.stderr)
    try:
        engine = _engine(args, sweep)
    except EngineError as error:
        raise UsageError(str(error)) from None
    try:
        store.write(manifest.begin(sweep, command=_command(args), cells=total))
    except OSError as error:
        raise UsageError(f"--out {store.folder}: {error}") from None
    store.tidy()
    mine = total if shard.of == 1 else sum(1 for cell in planning.cells(sweep) if shard.has(cell))
    try:
        with Bar(mine) as bar:
            tally = campaign.run(sweep, store, engine, shard=shard, retry_failed=args.retry_failed, progress=bar.step)
    except (EngineError, OtherCodeError, OSError) as error:  # the last: a full disk
        raise NoResultError(f"{error}; the same command goes on from what is done ({store.folder})") from None
    except KeyboardInterrupt:
        print(f"the same command goes on from what is done: {store.folder}", file=sys.stderr)
        raise
    finally:
        engine.close()
    return _end(sweep, store, shard, tally)


def _end(sweep: Sweep, store: Store, shard: Shard, tally: Tally) -> int:
    """The table if no other shard is still to come, and what there is to say."""
    from testbed.sweep import planning

    ran = f"{_cells(tally.done)} run" + (f", {tally.there:,} were there" if tally.there else "")
    aside = tally.failed + tally.aside
    if aside:
        print(
            f"{_cells(aside)} set aside, the tracebacks in {store.folder / 'failed'} (--retry-failed runs them again)",
            file=sys.stderr,
        )
        lasts = (str(told["traceback"]).strip().splitlines()[-1] for _, told in store.failures())
        for last in list(dict.fromkeys(islice(lasts, 1_000)))[:3]:
            print(f"  {last}", file=sys.stderr)
    if shard.of > 1 and not all(map(store.has, planning.cells(sweep))):
        print(f"shard {shard}: {ran}; the table is made when all shards are in one folder (penstock sweep merge)")
        return 3 if aside else 0
    print(ran)
    return _table(sweep, store)


def _table(sweep: Sweep, store: Store) -> int:
    """Write the table; the exit status."""
    from testbed.sweep import table

    there, missing = table.write(sweep, store)
    store.write({**store.read(), "table": {"cells": there, "missing": missing}})
    if missing:
        print(f"{_cells(missing)} missing in the table", file=sys.stderr)
    print(f"table: {store.table} ({_cells(there)})")
    return 3 if missing else 0


def _said(args: argparse.Namespace) -> dict[str, Any]:
    """What the file and the options say together, an option before the file; raises `ValueError`."""
    from testbed.sweep import description

    if len(args.what) > 1:
        raise ValueError(f"found '{args.what[1]}' after '{args.what[0]}'; expected one scenario or one file")
    said: dict[str, Any] = {}
    if args.what:
        path = Path(args.what[0])
        if path.suffix in (".yaml", ".yml") or path.is_file():
            said = description.read(path)
        else:
            said["scenario"] = args.what[0]
    for name, given in (
        ("policies", args.policy),
        ("tools", args.tool),
        ("workloads", args.workload),
        ("captures", args.capture),
    ):
        if given:
            said[name] = tuple(given)
    if args.seeds:
        said["seeds"] = description.word("--seeds", description.SEEDS, args.seeds)
    if args.design:
        said["draws"] = description.word("--design", description.DESIGN, args.design)
    if args.design_seed is not None:
        said["design_seed"] = args.design_seed
    if args.backend:
        said["backend"] = args.backend
    parameters = {one.name: one for one in said.get("parameters", ())}
    for text in args.set:
        one = description.setting(text)
        parameters[one.name] = one
    said["parameters"] = tuple(parameters.values())
    return said


def _engine(args: argparse.Namespace, sweep: Sweep) -> Engine:
    from testbed.scenario import unknown
    from testbed.sweep import backends, engines

    if args.engine not in engines.ENGINES:
        raise UsageError(f"--engine: {unknown('engine', args.engine, engines.ENGINES)}")
    if args.scheduler and args.engine != "dask":
        raise UsageError("--scheduler is Dask's: give --engine dask with it")
    jobs = args.jobs if args.jobs is not None else engines.cores()
    if not 1 <= jobs <= 1024:
        raise UsageError(f"--jobs is {jobs}; expected a number from 1 to 1024")
    if backends.find(sweep.backend).alone:
        if args.engine != "processes" or (args.jobs or 1) != 1:
            raise UsageError(
                f"--backend {sweep.backend} measures in one lab at a time, in this process; to share the work, give "
                "each machine a part of it (--shard)"
            )
        return engines.Here()
    return engines.ENGINES[args.engine](args.scheduler, jobs)


def _command(args: argparse.Namespace) -> list[str]:
    """The command line that repeats this sweep, wherever and by whatever engine."""
    words = ["sweep", *args.what]
    for option in ("policy", "tool", "workload", "capture", "set"):
        for value in getattr(args, option) or []:
            words += [f"--{option}", value]
    for option in ("seeds", "design", "design_seed", "backend"):
        if getattr(args, option) is not None:
            words += [f"--{option.replace('_', '-')}", str(getattr(args, option))]
    return words


def _report(words: list[str]) -> int:
    from testbed.sweep import page

    if len(words) != 1:
        raise UsageError("expected one folder: penstock sweep report FOLDER")
    try:
        print(f"report: {page.write(Path(words[0]))}")
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise UsageError(f"'{words[0]}' is no folder of a sweep with a table: there is no {name} in it") from None
    except (ValueError, NotADirectoryError) as error:
        raise UsageError(str(error)) from None
    return 0


def _merge(words: list[str]) -> int:
    from testbed.sweep import manifest
    from testbed.sweep.store import Store

    if len(words) < 2:
        raise UsageError("expected a folder and those of the shards: penstock sweep merge FOLDER SHARD ...")
    store, *others = (Store(Path(word)) for word in words)
    try:
        told = [one.read() for one in others]
        for one, said in zip(others, told, strict=True):
            if said["sweep"] != told[0]["sweep"]:
                raise UsageError(f"'{one.folder}' is of another sweep than '{others[0].folder}'")
        taken = sum(store.take_in(one) for one in others)
        store.write(told[0])
    except FileNotFoundError as error:
        raise UsageError(f"'{Path(error.filename).parent}' is no folder of a sweep") from None
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from None
    print(f"{_cells(taken)} taken into {store.folder}", file=sys.stderr)
    return _table(manifest.restored(told[0]["sweep"]), store)


def _cells(count: int) -> str:
    return f"{count:,} cell{'' if count == 1 else 's'}"
