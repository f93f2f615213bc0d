"""What Prometheus gets: over a real port, from the resource of its own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
import pytest_twisted
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.twisted import MetricsResource
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

from txws_simple import Opcode, WebSocketFactory
from txws_simple.prometheus import FactoryCollector

from .helpers import client_frame, request
from .wires import MemoryWire

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """The values in a scrape, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(name: str, factory: str, **labels: str) -> tuple[str, Any]:
    return f"txws_simple_{name}", tuple(sorted({"factory": factory, **labels}.items()))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=True)


@pytest.fixture
def port(registry: CollectorRegistry) -> Iterator[int]:
    """Where the registry can be scraped."""
    root = Resource()
    root.putChild(b"metrics", MetricsResource(registry))
    site = Site(root)
    listening: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
    yield listening.getHost().port
    pytest_twisted.blockon(listening.stopListening())


async def scrape(port: int) -> Samples:
    def read() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
            return str(response.read().decode())

    return samples(await deferToThread(read))


def connect(factory: WebSocketFactory, *segments: bytes) -> MemoryWire:
    wire = MemoryWire(factory, Clock())
    for segment in segments:
        wire.send(segment)
    return wire


def close(code: int) -> bytes:
    return client_frame(Opcode.CLOSE, code.to_bytes(2, "big"))


@pytest_twisted.ensureDeferred
async def test_scrape(registry: CollectorRegistry, port: int) -> None:
    """All that was counted, of two factories, and again when it has changed."""
    clock = Clock()
    echo = WebSocketFactory(lambda peer: peer.each(peer.write), clock=clock)
    idle = WebSocketFactory(lambda peer: Deferred(), origins=["https://a"], clock=clock)
    registry.register(FactoryCollector({"echo": echo, "idle": idle}))

    wire = connect(echo, request(), client_frame(Opcode.TEXT, b"hello"))
    refused = connect(idle, request())
    found = await scrape(port)
    assert found[of("open", "echo")] == found[of("connected", "echo")] == 1
    assert found[of("open", "idle")] == 0
    assert found[of("connected", "idle")] == 1
    assert found[of("connections_total", "idle")] == 1
    assert found[of("opened_total", "echo")] == 1
    assert found[of("refused_total", "idle", status="403")] == 1
    assert found[of("frames_total", "echo", direction="in")] == 1
    assert found[of("frames_total", "echo", direction="out")] == 1
    assert found[of("bytes_total", "echo", direction="in")] == 11
    assert found[of("bytes_total", "echo", direction="out")] == 7
    assert found[of("buffered", "echo")] == 0
    assert not any(name == "txws_simple_closed_total" for name, _ in found)

    wire.send(close(1000))
    wire.fin()
    refused.fin()
    found = await scrape(port)
    assert found[of("open", "echo")] == found[of("connected", "echo")] == 0
    assert found[of("closed_total", "echo", code="1000", by="remote")] == 1
    assert found[of("bytes_total", "echo", direction="in")] == 19
    assert found[of("bytes_total", "echo", direction="out")] == 11


@pytest_twisted.ensureDeferred
async def test_no_client_makes_metrics(registry: CollectorRegistry, port: int) -> None:
    """Whatever code it sends, from those that are anybody's."""
    factory = WebSocketFactory(lambda peer: Deferred(), clock=Clock())
    registry.register(FactoryCollector({"a": factory}))
    for code in (1001, 3000, 3001, 3999, 4000, 4999):
        connect(factory, request(), close(code)).fin()
    found = await scrape(port)
    closed = {
        dict(labels)["code"]: value
        for (name, labels), value in found.items()
        if name == "txws_simple_closed_total"
    }
    assert closed == {"1001": 1, "3xxx": 3, "4xxx": 2}


def test_what_is_buffered(registry: CollectorRegistry) -> None:
    factory = WebSocketFactory(lambda peer: Deferred(), clock=Clock())
    registry.register(FactoryCollector({"a": factory}))
    wire = connect(factory, request())
    wire.stall()
    for _ in range(2):
        wire.protocol.peer.write(b"x" * 100)
    buffered = registry.get_sample_value("txws_simple_buffered", {"factory": "a"})
    assert buffered == 102
    wire.reset()
    assert registry.get_sample_value("txws_simple_buffered", {"factory": "a"}) == 0
