"""One target under atheris: what the command starts for each.

python -m fuzz.harness MODULE [options of libFuzzer] [folder or file ...]
"""

from __future__ import annotations

import gc
import importlib
import shlex
import sys
from pathlib import Path

import atheris
from twisted.logger import globalLogBeginner


def _again(name: str) -> str:
    """A program that is this with its module: libFuzzer starts itself to merge."""
    program = Path(sys.prefix) / f"fuzz-{name}"
    command = shlex.join([sys.executable, "-m", "fuzz.harness", name])
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return str(program)


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["txws_simple"]):
        target = importlib.import_module(f"fuzz.{name}")
        from txws_simple.codec import ACCELERATED
    print("accelerated", ACCELERATED, flush=True)
    # Until somebody listens, all that is logged would be kept.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    gc.collect()
    gc.freeze()  # to look at what is new only
    atheris.Setup([_again(name), *sys.argv[1:]], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
