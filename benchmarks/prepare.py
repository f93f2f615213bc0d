"""What the benchmark needs: an environment, the load, a certificate."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".venv-benchmarks"
PYTHON = VENV / "bin" / "python"
LOAD = VENV / "load"
CERTIFICATE = VENV / "server.pem"

PACKAGES = ["aiohttp", "autobahn", "matplotlib", "picows", "py-spy", "tqdm", "trustme"]
PACKAGES += ["twisted[tls,websocket]", "uvloop", "websockets"]


def prepare() -> None:
    """What is needed to measure servers beside each other."""
    install(PACKAGES)
    build(LOAD, [HERE / "load.c"], "-lssl", "-lcrypto")


def install(packages: list[str]) -> None:
    """The environment, with these packages and the library as it stands here."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    environment = {**os.environ, "TXWS_SIMPLE_SPEEDUPS": "require"}
    subprocess.run([*pip, *packages], check=True)
    subprocess.run(
        [*pip, "--force-reinstall", "--no-deps", ROOT], env=environment, check=True
    )


def build(program: Path, sources: list[Path], *libraries: str) -> None:
    """A program in C."""
    if shutil.which("cc") is None:
        sys.exit("needs a C compiler, as cc")
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program]
    if subprocess.run([*command, *sources, *libraries], check=False).returncode:
        sys.exit(
            f"{program.name} can't be built: what does {' '.join(libraries)} need?"
        )


def certify() -> None:
    """A certificate for the servers, for as long as this benchmark lasts."""
    import trustme

    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(CERTIFICATE))
