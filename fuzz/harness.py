"""One target under atheris: what the command starts for each.

python -m fuzz.harness MODULE [options of libFuzzer] [folder or file ...]
"""

from __future__ import annotations

import gc
import importlib
import sys

import atheris
from twisted.logger import globalLogBeginner


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
    # To merge, libFuzzer starts itself again, by this and the options.
    sys.argv[0] = f"{sys.executable} -m fuzz.harness {name}"
    atheris.Setup(sys.argv, target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
