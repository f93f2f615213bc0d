"""nginx and HAProxy with the configurations of ``examples/deploy``."""

from __future__ import annotations

import subprocess

from ..processes import free_port, listens
from .programs import DEPLOY, Programs, program


class Proxy:
    """A proxy in front of one server.

    Args:
        programs: Where it runs.
        server: The server's port.
        idle: After how much silence it cuts a connection, ``2s`` for two seconds.
        linger: How long connections may stay after a reload.

    Attributes:
        server: The server's endpoint, in front of a port.
        tells_address: How the server hears of a client's address.
        port: Where it listens, another one after each reload.
        away: What a client gets while no server listens.
    """

    server = "tcp"
    tells_address = "X-Forwarded-For"
    away = 503

    def __init__(
        self, programs: Programs, server: int, idle: str = "60s", linger: str = "1h"
    ) -> None:
        self._programs = programs
        self._server = server
        self._idle = idle
        self._linger = linger
        self.port = free_port()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def reload(self) -> None:
        """Go on with a configuration that says another port."""
        raise NotImplementedError

    @property
    def is_ready(self) -> bool:
        """Whether clients can come."""
        assert self.process.poll() is None, "it has ended"
        return listens(self.port)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"


class Nginx(Proxy):
    """``nginx.conf``, of which it takes no values from outside: other text."""

    away = 502

    def _start(self) -> subprocess.Popen[bytes]:
        self._configure()
        return self._programs.start([*self._command(), "-g", "daemon off;"])

    def reload(self) -> None:
        self.port = free_port()
        self._configure()
        self._programs.run([*self._command(), "-s", "reload"])

    def _command(self) -> list[str]:
        folder = str(self._programs.folder)
        nginx = program("nginx", "nginx")
        return [nginx, "-e", "stderr", "-p", folder, "-c", "nginx.conf"]

    def _configure(self) -> None:
        text = (DEPLOY / "nginx.conf").read_text()
        for old, new in {
            "listen 127.0.0.1:8000;": f"listen 127.0.0.1:{self.port};",
            "http://127.0.0.1:8080;": f"http://127.0.0.1:{self._server};",
            "proxy_read_timeout 60s;": f"proxy_read_timeout {self._idle};",
            "worker_shutdown_timeout 1h;": f"worker_shutdown_timeout {self._linger};",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (self._programs.folder / "nginx.conf").write_text(text)


class HAProxy(Proxy):
    """``haproxy.cfg``, which takes its values from the environment."""

    _names = ("PLAIN", "SERVER")

    def _start(self) -> subprocess.Popen[bytes]:
        return self._run()

    def reload(self) -> None:
        self.port = free_port()
        self.process = self._run("-sf", str(self.process.pid))

    def _run(self, *more: str) -> subprocess.Popen[bytes]:
        file = self._programs.folder / "haproxy.cfg"
        file.write_text((DEPLOY / "haproxy.cfg").read_text())
        haproxy = program("haproxy", "haproxy")
        return self._programs.start(
            [haproxy, "-db", "-f", str(file), *more], self._environment()
        )

    def _environment(self) -> dict[str, str]:
        # All four, lest the other half takes ports that are not the test's.
        values = {
            name: f"127.0.0.1:{free_port()}"
            for name in ("PLAIN", "SERVER", "PROXIED", "PROXIED_SERVER")
        }
        for name, port in zip(self._names, (self.port, self._server), strict=True):
            values[name] = f"127.0.0.1:{port}"
        return {**values, "TUNNEL": self._idle, "HARD_STOP": self._linger}


class HAProxyTelling(HAProxy):
    """The half of it that speaks the PROXY protocol to the server."""

    server = "haproxy:tcp"
    tells_address = "PROXY"
    _names = ("PROXIED", "PROXIED_SERVER")


PROXIES = (Nginx, HAProxy, HAProxyTelling)
