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
    """Make what is not there; say what is missing where that can't be done."""
    if shutil.which("cc") is None:
        sys.exit("needs a C compiler, as cc")
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install = [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    environment = {**os.environ, "TXWS_SIMPLE_SPEEDUPS": "require"}
    subprocess.run([*install, *PACKAGES], check=True)
    subprocess.run(
        [*install, "--force-reinstall", "--no-deps", ROOT], env=environment, check=True
    )
    compiled = subprocess.run(
        ["cc", "-O2", "-o", LOAD, HERE / "load.c", "-lssl", "-lcrypto"], check=False
    )
    if compiled.returncode:
        sys.exit("load.c needs the headers of OpenSSL: libssl-dev, or the like")


def certify() -> None:
    """A certificate for the servers, for as long as this benchmark lasts."""
    import trustme

    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(CERTIFICATE))
