"""What fuzzing needs: an environment, and the accelerator with sanitizers in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["PYTHON", "ROOT", "VENV", "build", "environment", "prepare"]

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-fuzz"
PYTHON = VENV / "bin" / "python"
_SANITIZED = VENV / "sanitized"

PACKAGES = ["atheris", "twisted>=24.7", "zope.interface>=6"]

#: What clang puts in: AddressSanitizer, UBSan, and what libFuzzer sees coverage with.
_INSTRUMENTS = "-fsanitize=address,undefined,fuzzer-no-link"


def prepare() -> None:
    """Make what is not there; say what is missing where that can't be done."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [PYTHON, *install, "--only-binary", "atheris", *PACKAGES], check=True
    )


def build() -> None:
    """The package once more, with an accelerator that meets no bad byte unseen."""
    for tool in ("clang", "cc"):
        if shutil.which(tool) is None:
            sys.exit(f"needs {tool}, to build the accelerator with sanitizers")
    package = _SANITIZED / "txws_simple"
    shutil.rmtree(_SANITIZED, ignore_errors=True)
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "txws_simple", package, ignore=ignored)
    compiled = _SANITIZED / "_speedups.o"
    include = sysconfig.get_path("include")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    flags = ["-std=c99", "-O1", "-g", "-fPIC", f"-I{include}", _INSTRUMENTS]
    flags += ["-fno-sanitize-recover=all", "-c", "-o", str(compiled)]
    subprocess.run(["clang", *flags, package / "_speedups.c"], check=True)
    # Not by clang: it would want the sanitizers' libraries, which atheris brings.
    shared = package / f"_speedups{suffix}"
    subprocess.run(["cc", "-shared", compiled, "-o", shared], check=True)


def environment(is_sanitized: bool) -> dict[str, str]:
    """What a target runs with: the accelerator with sanitizers, or none."""
    paths = [str(_SANITIZED), str(ROOT)] if is_sanitized else [str(ROOT)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    variables["TXWS_SIMPLE_SPEEDUPS"] = "require" if is_sanitized else "forbid"
    if is_sanitized:
        library = Path(sysconfig.get_path("purelib")) / "asan_with_fuzzer.so"
        variables["LD_PRELOAD"] = str(library)
        # Python's own allocator would hide what is read beside a buffer, and what
        # Python itself never frees is no leak of ours.
        variables["PYTHONMALLOC"] = "malloc"
        variables["ASAN_OPTIONS"] = "detect_leaks=0:quarantine_size_mb=16"
    return variables
