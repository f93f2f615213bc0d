"""The command: all mutants of some modules, then what became of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from .prepare import PYTHON, ROOT, VENV, environment, prepare
from .report import report
from .survivors import SURVIVORS

MODULES = ("frames", "handshake", "connection", "inbox", "outbox")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m mutation",
        description="Make one small mistake at a time, and see whether a test fails.",
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument(
        "--jobs",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="how many mutants at a time [default: as many as there are cores]",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=VENV / "summary.json",
        metavar="FILE",
        help="where the summary goes [default: %(default)s]",
    )
    options = parser.parse_args()
    unknown = set(options.modules) - set(MODULES)
    if unknown:
        parser.error(f"there is no module {', '.join(sorted(unknown))}")
    return options


def main() -> int:
    options = arguments()
    if Path(sys.prefix) != VENV:
        prepare()
        command = [str(PYTHON), "-m", "mutation", *sys.argv[1:]]
        os.execve(PYTHON, command, environment())
    # What these need is in that environment only.
    from .mutants import mutants
    from .run import Run

    found = [
        mutant
        for name in options.modules or MODULES
        for mutant in mutants(
            name, (ROOT / "txws_simple" / f"{name}.py").read_text(encoding="utf-8")
        )
    ]
    run = Run(found, options.jobs)
    run.run()
    result = report(run.outcomes, SURVIVORS)
    options.out.write_text(json.dumps(result.as_json(), indent=1) + "\n")
    print("\n".join(result.lines()))
    return 0 if result.passes else 1


if __name__ == "__main__":
    sys.exit(main())
