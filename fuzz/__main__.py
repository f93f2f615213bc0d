"""The command: so many seconds for each target, then what that came to."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import inputs
from .prepare import PYTHON, VENV, build, prepare
from .target import FINDINGS, TARGETS, Target


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m fuzz",
        description="Fuzz all targets or some, each for some time.",
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument(
        "--seconds", type=int, default=60, help="for each target [default: 60]"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="how many targets at a time [default: as many as there are cores]",
    )
    parser.add_argument(
        "--keep", action="store_true", help="put what was found into the corpus"
    )
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="run only this, that of a finding"
    )
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    return options


def fuzz(targets: list[Target], seconds: int, jobs: int) -> bool:
    """Run them, some at a time, and print what each came to; whether all is well."""
    for target in targets:
        target.begin_with(
            (*inputs.generated(target.module), *inputs.kept(target.module))
        )
    statuses: list[int] = []
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(target.fuzz, seconds) for target in targets]
        for target, future in zip(targets, running, strict=True):
            statuses.append(future.result())
            print(target.summary(statuses[-1]), flush=True)
    return not any(statuses)


def reproduce(targets: list[Target], path: Path) -> bool:
    """Run one input, and print what is said to it; whether all is well."""
    statuses: list[int] = []
    for target in targets:
        statuses.append(target.run(path.resolve()))
        print(target.log.read_text(encoding="utf-8", errors="replace"))
    return not any(statuses)


def keep(targets: list[Target]) -> None:
    """Keep in the repository what covers all that is covered now."""
    for module in {target.module for target in targets}:
        found: set[bytes] = set()
        for target in targets:
            if target.module == module:
                found.update(target.least())
        inputs.keep(module, found.difference(inputs.generated(module)))


def main() -> int:
    options = arguments()
    if Path(sys.prefix) != VENV:
        prepare()
        os.execv(PYTHON, [str(PYTHON), "-m", "fuzz", *sys.argv[1:]])
    targets = [TARGETS[name] for name in options.targets or TARGETS]
    if any(target.is_sanitized for target in targets):
        build()
    FINDINGS.mkdir(exist_ok=True)
    if options.input is not None:
        passed = reproduce(targets, options.input)
    else:
        passed = fuzz(targets, options.seconds, options.jobs)
    if options.keep:
        keep(targets)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
