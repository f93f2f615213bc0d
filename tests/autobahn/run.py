#!/usr/bin/env python3
"""Run the Autobahn test suite (wstest) against ``twistd wsecho``.

Each run starts a server of its own on a free port of 127.0.0.1, lets the suite
test it, judges the report and ends the server with SIGTERM.  A run passes if

- every case of 1.* to 10.* was run and is OK, in behaviour and in closing, but
  for three that are informational by nature (7.1.6, 7.13.1, 7.13.2): 301 cases
  in all, 298 OK and 3 INFORMATIONAL, none of them NON-STRICT;
- every case of 12.* and 13.* is UNIMPLEMENTED, for they test compression;
- the server ends with status 0 and has logged no traceback.

Run it with the Python in which txws_simple and its extra "test" are installed.
The suite itself needs Python 2.7, which is looked for as --python27 says; its
environment is made on the first run and used again after that.  The reports, as
HTML too, are in the folder reports beside this script, each with the logs of
the server and of the suite.

To run the suite by hand, in this folder, against a server on port 8080:

    twistd --nodaemon wsecho --max-frame-size 16777216
    wstest -m fuzzingclient -s fuzzingclient.json
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent

AGENT = "txws_simple"

VIRTUALENV = "virtualenv==20.15.1"
# The last versions of all that the suite stands on that work together, and
# under Python 2.7.
REQUIREMENTS = [
    "txaio==2.1.0",
    "incremental==16.10.1",
    "six==1.16.0",
    "Twisted==19.10.0",
    "zope.interface==4.6.0",
    "jinja2==2.11.3",
    "markupsafe==1.1.1",
    "Werkzeug==1.0.1",
    "klein==17.10.0",
    "unittest2==1.1.0",
    "autobahn==0.10.9",
    "pyOpenSSL==19.1.0",
    "cryptography==3.3.2",
    "service_identity==18.1.0",
]
SUITE = "autobahntestsuite==25.10.1"

#: What cases 9.* send in one frame, in bytes.
LARGEST_FRAME = 16 * 1024 * 1024

#: Byte by byte, cases 9.* with their large messages would take for ever.
BYTEWISE_CASES = [f"{chapter}.*" for chapter in (1, 2, 3, 4, 5, 6, 7, 10)]

INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

#: How long things may take, in seconds.
START_TIMEOUT = 30
STOP_TIMEOUT = 30
SUITE_TIMEOUT = 1800

Report = dict[str, dict[str, Any]]


class Failed(Exception):
    """Why nothing could be judged."""


# The suite's environment


def find_python27(named: str | None) -> str:
    """The Python 2.7 that was named, or the first that works."""
    found = [named] if named else _known_pythons27()
    for candidate in found:
        executable = _executable_of_python27(candidate)
        if executable:
            return executable
    raise Failed(
        f"{named} is not a Python 2.7"
        if named
        else "the suite needs Python 2.7: install it, for example with "
        "'pyenv install 2.7.18', or name it with --python27 or in $PYTHON27"
    )


def _known_pythons27() -> list[str]:
    on_path = shutil.which("python2.7")
    versions = Path.home() / ".pyenv" / "versions"
    of_pyenv = sorted(map(str, versions.glob("2.7.*/bin/python")), reverse=True)
    return [on_path, *of_pyenv] if on_path else of_pyenv


def _executable_of_python27(candidate: str) -> str | None:
    """Where it really is: a name on the path may be a mere shim, or a dead one."""
    code = "import sys; print('%d.%d ' % sys.version_info[:2] + sys.executable)"
    try:
        result = subprocess.run(
            [candidate, "-c", code], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    version, _, executable = result.stdout.strip().partition(" ")
    return executable if version == "2.7" else None


def prepare(folder: Path, python27: str | None) -> Path:
    """Make the suite's environment, if it isn't there; the path of wstest."""
    wanted = "\n".join([*REQUIREMENTS, SUITE])
    complete = folder / "complete"
    wstest = folder / "python27" / "bin" / "wstest"
    if wstest.exists() and complete.exists() and complete.read_text() == wanted:
        return wstest
    executable = find_python27(python27)
    print(f"making the suite's environment with {executable}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _make_environment(folder, executable)
    complete.write_text(wanted)
    return wstest


def _make_environment(folder: Path, executable: str) -> None:
    maker = folder / "virtualenv"
    target = folder / "python27"
    _call(sys.executable, "-m", "venv", maker)
    _install(maker, VIRTUALENV)
    _call(
        maker / "bin" / "virtualenv",
        "--quiet",
        "--no-download",
        "--no-periodic-update",
        "--python",
        executable,
        target,
    )
    _install(target, *REQUIREMENTS)
    # It asks for versions that exclude each other.
    _install(target, "--no-deps", SUITE)


def _install(environment: Path, *what: str) -> None:
    python = environment / "bin" / "python"
    quietly = ("-q", "--disable-pip-version-check")
    _call(python, "-m", "pip", "install", *quietly, *what)


def _call(*command: str | Path) -> None:
    environment = {**_plain_environment(), "PIP_NO_PYTHON_VERSION_WARNING": "1"}
    result = subprocess.run(command, env=environment, check=False)
    if result.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit {result.returncode}")


def _plain_environment() -> dict[str, str]:
    """Ours, without what would lead another Python to our modules."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS")
    }


# The server


@contextmanager
def server(port: int, options: argparse.Namespace, folder: Path) -> Iterator[None]:
    """A running ``wsecho``, which has to end in order."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = _spawn(_server_command(port, options, folder), output, folder)
        try:
            _wait_until_listening(process, port, log)
            yield
            _stop(process, log)
        finally:
            _kill(process)


def _server_command(
    port: int, options: argparse.Namespace, folder: Path
) -> list[str | Path]:
    twistd = Path(sysconfig.get_path("scripts"), "twistd")
    if not twistd.exists():
        raise Failed(f"no twistd beside {sys.executable}: install txws_simple there")
    endpoint = f"tcp:{port}:interface=127.0.0.1"
    if options.tls:
        key, certificate = _make_certificate(folder)
        endpoint = f"ssl:{port}:interface=127.0.0.1"
        endpoint += f":privateKey={_escaped(key)}:certKey={_escaped(certificate)}"
    return [
        sys.executable,
        HERE / "bytewise.py" if options.bytewise else twistd,
        "--nodaemon",
        "--pidfile=",
        "wsecho",
        f"--endpoint={endpoint}",
        f"--max-frame-size={LARGEST_FRAME}",
    ]


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    import trustme

    issued = trustme.CA().issue_cert("127.0.0.1")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    return key, certificate


def _escaped(path: Path) -> str:
    """As a value in the description of an endpoint."""
    return re.sub(r"([\\:=])", r"\\\1", str(path))


def _spawn(
    command: list[str | Path], output: IO[bytes], folder: Path
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=_plain_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _wait_until_listening(
    process: subprocess.Popen[bytes], port: int, log: Path
) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise Failed(f"the server does not listen:\n{log.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.terminate()
    try:
        status = process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"the server did not end within {STOP_TIMEOUT} s") from None
    if status:
        raise Failed(f"the server ended with status {status}, see {log}")
    if re.search(r"Traceback|Unhandled|#critical", log.read_text(errors="replace")):
        raise Failed(f"the server logged an error, see {log}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


# The suite and its report


def test(wstest: Path, url: str, cases: list[str], folder: Path) -> list[str]:
    """Let the suite test the server; the cases that it set out to run."""
    spec = {
        "outdir": ".",
        "servers": [{"agent": AGENT, "url": url}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "fuzzingclient.json").write_text(json.dumps(spec, indent=3) + "\n")
    log = folder / "wstest.log"
    command: list[str | Path] = [wstest, "-m", "fuzzingclient"]
    command += ["-s", "fuzzingclient.json"]
    with log.open("wb") as output:
        process = _spawn(command, output, folder)
        try:
            status = process.wait(SUITE_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failed(f"wstest ran over {SUITE_TIMEOUT} s, see {log}") from None
        finally:
            _kill(process)
    announced = re.search(r"^Cases = (\[.*\])$", log.read_text(errors="replace"), re.M)
    if status or not announced:
        raise Failed(f"wstest ended with status {status}, see {log}")
    return [str(case) for case in ast.literal_eval(announced[1])]


def read_report(folder: Path) -> Report:
    """What became of each case."""
    index = folder / "index.json"
    if not index.exists():
        raise Failed(f"wstest wrote no {index}")
    report: Report = json.loads(index.read_text())[AGENT]
    return report


def is_compression(case: str) -> bool:
    return case.startswith(("12.", "13."))


def judge(report: Report, announced: list[str], folder: Path) -> list[str]:
    """What is wrong, a line for each case."""
    wrong = [f"{case}: was not run" for case in announced if case not in report]
    for case, result in sorted(report.items(), key=_number_of):
        behavior, closing = result["behavior"], result["behaviorClose"]
        if not _is_right(case, behavior, closing):
            html = (folder / result["reportfile"]).with_suffix(".html").as_uri()
            wrong.append(f"{case}: {behavior}, closing {closing}: {html}")
    return wrong


def _is_right(case: str, behavior: str, closing: str) -> bool:
    if is_compression(case):
        return behavior == "UNIMPLEMENTED"
    fine = {"OK", "INFORMATIONAL"} if case in INFORMATIONAL else {"OK"}
    return behavior in fine and closing in fine


def _number_of(item: tuple[str, Any]) -> list[int]:
    return [int(part) for part in item[0].split(".")]


def count(report: Report) -> tuple[Counter[str], Counter[str]]:
    """How many cases there are of each outcome, those of compression apart."""
    cases: Counter[str] = Counter()
    compression: Counter[str] = Counter()
    for case, result in report.items():
        (compression if is_compression(case) else cases)[result["behavior"]] += 1
    return cases, compression


def expected_counts(options: argparse.Namespace) -> Counter[str] | None:
    """How many there have to be; unknown where the user chose the cases."""
    if options.cases:
        return None
    return Counter(OK=244 if options.bytewise else 298, INFORMATIONAL=3)


def _as_text(counts: Counter[str]) -> str:
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return f"{counts.total()} cases: {outcomes}" if counts else "no cases"


# All of it


def run_once(wstest: Path, options: argparse.Namespace, folder: Path) -> list[str]:
    """One run; what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cases = options.cases or (BYTEWISE_CASES if options.bytewise else ["*"])
    port = free_port()
    url = f"{'wss' if options.tls else 'ws'}://127.0.0.1:{port}"
    began = time.monotonic()
    with server(port, options, folder):
        announced = test(wstest, url, cases, folder)
        seconds = time.monotonic() - began
    report = read_report(folder)
    counts, compression = count(report)
    wrong = judge(report, announced, folder)
    expected = expected_counts(options)
    if expected is not None and counts != expected:
        wrong.append(f"not as expected: {_as_text(expected)}")
    print(f"{_as_text(counts)}; compression: {_as_text(compression)}; {seconds:.1f} s")
    return wrong


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=1, metavar="N", help="how often [default: 1]"
    )
    parser.add_argument(
        "--tls", action="store_true", help="test wss, with a certificate made for it"
    )
    parser.add_argument(
        "--bytewise",
        action="store_true",
        help="give the server every byte as a segment of its own; without cases 9.*, "
        "so that there are 247 in all, 244 OK",
    )
    parser.add_argument(
        "--cases",
        nargs="+",
        metavar="CASE",
        help='which, for example 1.1.1 or "6.*" [default: all]; the number of cases '
        "is not judged then",
    )
    parser.add_argument(
        "--python27",
        default=os.environ.get("PYTHON27"),
        metavar="PATH",
        help="the Python 2.7 [default: $PYTHON27, else python2.7 on the path, "
        "else one of pyenv's]",
    )
    parser.add_argument(
        "--environment",
        type=Path,
        default=HERE.parent.parent / ".venv-autobahn",
        metavar="FOLDER",
        help="where the suite's environment is [default: .venv-autobahn in the root]",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    name = "bytewise" if options.bytewise else "plain"
    name += "-tls" if options.tls else ""
    failed = 0
    try:
        wstest = prepare(options.environment.resolve(), options.python27)
    except Failed as error:
        print(error)
        return 1
    for number in range(1, options.runs + 1):
        print(f"{name}, run {number} of {options.runs}: ", end="", flush=True)
        try:
            wrong = run_once(wstest, options, HERE / "reports" / name / str(number))
        except Failed as error:
            wrong = [str(error)]
        failed += bool(wrong)
        print("\n".join(wrong) if wrong else "passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
