#!/usr/bin/env python3
"""Measure WebSocket servers beside each other: CPU time of the server per message.

    python3 benchmarks/run.py [--rounds 5] [--loads rtt-100 64k ...] [--out DIR]

It makes an environment of its own (``.venv-benchmarks``) with all servers, builds
the load generator (needs a C compiler and the headers of OpenSSL), and puts every
load on every server, in turn, as often as ``--rounds`` says; server and load are
each on a core of their own.  What counts is the server's user and system time
between two points at which it is idle, as the kernel's scheduler accounts it,
divided by the messages that came back; of the rounds the median, and of the ratios
to another server in the same round the median too.  Wall-clock rates are shown and
decide nothing.  Memory is that of connections that are held and send nothing.

The results go to ``results.json``.  ``about.rst``, ``tables.rst`` and one SVG for
each load are made of that, and made anew by ``--report-only``.  ``linear.py`` has
the costs that must grow linearly.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loads import IDLE, IDLE_SERVERS, LOADS, SERVERS
from prepare import HERE, PYTHON, VENV, certify, prepare
from report import about, write_about, write_plots, write_tables

MEASURED = ["txws_simple", "Twisted", "autobahn", "picows", "uvloop", "websockets"]
MEASURED += ["aiohttp"]


def run_loads(names: list[str], rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """All figures of a load: server, then one per round."""
    from measure import measure
    from tqdm import tqdm

    total = sum(len(LOADS[name].servers) for name in names) * rounds
    with tqdm(total=total) as bar:
        for name in names:
            load = LOADS[name]
            figures = {server: {"cpu": [], "rate": []} for server in load.servers}
            for _ in range(rounds):
                for server, figure in figures.items():
                    bar.set_description(f"{name}, {server}")
                    cpu, rate = measure(SERVERS[server], load)
                    figure["cpu"].append(cpu)
                    figure["rate"].append(rate)
                    bar.update()
            yield name, figures


def run_idle(rounds: int) -> dict[str, Any]:
    """Bytes for each idle connection: server, how many, then one per round."""
    from measure import measure_idle
    from tqdm import tqdm

    results: dict[str, Any] = {}
    for name in tqdm(IDLE_SERVERS, desc="idle connections"):
        server = SERVERS[name]
        results[name] = {
            str(count): [measure_idle(server, count) for _ in range(rounds)]
            for count in IDLE
        }
    return results


def allow_files() -> None:
    """As many open files as the connections that are held need."""
    wanted = max(IDLE) + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    parser.add_argument("--no-idle", action="store_true", help="leave memory out")
    parser.add_argument("--report-only", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if Path(sys.prefix) != VENV:
        if len(os.sched_getaffinity(0)) < 2:
            sys.exit("needs two cores: one for the server, one for the load")
        prepare()
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "results.json"
    if not options.report_only:
        allow_files()
        certify()
        results = {"about": about(MEASURED), "loads": {}}
        results["idle"] = {} if options.no_idle else run_idle(1)
        for name, figures in run_loads(options.loads, options.rounds):
            results["loads"][name] = figures
            # At once: a run that ends early has not been for nothing.
            path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    results = json.loads(path.read_text(encoding="utf-8"))
    write_about(results["about"], options.out)
    write_plots(results, options.out)
    print(write_tables(results, options.out))


if __name__ == "__main__":
    main()
