#!/usr/bin/env python3
"""Soak the server: many connections, floods, faults, and see that it holds.

    python3 benchmarks/soak.py [--quick] [--scenarios idle ...] [--out DIR]

It makes an environment of its own (``.venv-benchmarks``), builds the clients (needs
Linux and a C compiler), and puts one scenario after the other on a server of its
own, over the loopback interface.  Bounds on memory, on what is left when all clients
have gone, and on what may happen to honest ones are checked; if one is exceeded, the
exit status is 1.  Latencies are reported, and decide nothing.

The results go to ``load.json``, and a table for each scenario to ``load.rst``.
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

from prepare import HERE, PYTHON, VENV, build, install
from report import about
from soaking.figures import Figure
from soaking.process import SWARM, cores
from soaking.report import write_tables
from soaking.scenarios import FULL, QUICK, SCENARIOS, Size

PACKAGES = ["tqdm", "twisted"]


def allow_files(wanted: int) -> None:
    """As many open files as the largest scenario needs, on either side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError):
        sys.exit(f"needs {wanted} open files: ulimit -n {wanted}, as root")


def run(names: list[str], size: Size) -> Iterator[tuple[str, list[Figure]]]:
    """The figures of each scenario."""
    from tqdm import tqdm

    with tqdm(names) as bar:
        for name in bar:
            bar.set_description(name)
            yield name, list(SCENARIOS[name].run(size))


def exceeded(results: dict[str, Any]) -> list[str]:
    """What did not keep to its bound."""
    return [
        f"{name}: {figure.what}: {figure.value:g} {figure.unit}, not {figure.most:g}"
        for name, figures in results.items()
        for figure in (Figure(*each) for each in figures)
        if not figure.held
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller, for each change")
    parser.add_argument(
        "--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS)
    )
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if Path(sys.prefix) != VENV:
        install(PACKAGES)
        build(SWARM, sorted((HERE / "swarm").glob("*.c")), "-lm")
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    size = QUICK if options.quick else FULL
    allow_files(size.idle + 200)
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "about": {**about(["txws_simple", "Twisted"]), "cores": len(set(cores()))},
        "figures": {},
    }
    for name, figures in run(options.scenarios, size):
        results["figures"][name] = figures
        # At once: a run that ends early has not been for nothing.
        path = options.out / "load.json"
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(write_tables(results, options.out))
    if failed := exceeded(results["figures"]):
        sys.exit("\n".join(["exceeded:", *failed]))


if __name__ == "__main__":
    main()
