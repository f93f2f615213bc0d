"""The command: so many cases, the counts, and what no row of the table covers."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from random import SystemRandom

from .comparison import REQUESTS, STREAMS, Result, Subject, Unknown, compare

#: How many cases it takes for each known divergence to occur.
MANY = {"streams": 100_000, "requests": 20_000}

#: How many unknown divergences are shown.
_SHOWN = 5


def report(subject: Subject, count: int, result: Result) -> list[str]:
    """What is to be said of a comparison, line by line."""
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(result.kinds.items()))
    lines = [f"{count} {subject.name}, {result.size} bytes: {kinds}"]
    for library in subject.pairs:
        lines.append(f"  {result.alike[library]:>7} alike in {library}")
    for row in subject.known:
        count = result.known[row]
        lines.append(f"  {count or 'UNUSED':>7} {row.library} {row.why}")
    lines.append(f"  {len(result.unknown):>7} not known")
    for unknown in result.unknown[:_SHOWN]:
        lines += _describe(unknown)
    return lines


def _describe(unknown: Unknown) -> list[str]:
    lines = [f"case {unknown.number}: {unknown.library} differs, {unknown.case}"]
    lines += [f"    ours:   {unknown.ours}", f"    theirs: {unknown.theirs}"]
    return lines


def is_passed(subject: Subject, count: int, result: Result) -> bool:
    """Whether nothing was unknown, and, of many cases, no row unused."""
    is_used = all(result.known[row] for row in subject.known)
    return not result.unknown and (is_used or count < MANY[subject.name])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.differential",
        description="Compare our verdicts with those of wsproto and websockets.",
    )
    for name, count in MANY.items():
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N")
    parser.add_argument(
        "--seed", default=str(SystemRandom().randrange(10**9)), help="any text"
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    libraries = ", ".join(f"{name} {version(name)}" for name in STREAMS.pairs)
    print(f"seed {options.seed}, {libraries}", flush=True)
    passed = True
    for subject in (STREAMS, REQUESTS):
        count = getattr(options, subject.name)
        result = compare(subject, options.seed, count)
        print("\n".join(report(subject, count, result)), flush=True)
        passed = is_passed(subject, count, result) and passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
