"""What factories have counted, for Prometheus: the extra ``txws_simple[prometheus]``.

Nothing else of the library knows of it, or of ``prometheus_client``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .counters import Counters
from .protocol import WebSocketFactory

__all__ = ["FactoryCollector"]

_GAUGES = {
    "connected": "Connections that there are, in their handshake or not.",
    "open": "Connections that there are behind their handshake.",
    "buffered": "Bytes written and not gone.",
}
_TOTALS = {
    "connections": "Connections that were made.",
    "opened": "Handshakes that have succeeded.",
}
_BOTH_WAYS = {
    "frames": "Data frames that arrived, and that were written.",
    "bytes": "Bytes that arrived and that have gone, behind the handshake.",
}


class FactoryCollector(Collector):
    """What some factories have counted, as metrics: for ``registry.register()``.

    It may be asked from any thread, as ``prometheus_client.twisted.MetricsResource``
    does.  A client may send any close code from 3000 to 4999: those are told together
    as ``3xxx`` and ``4xxx``, so that none can make up metrics.

    Args:
        factories: The factories, by what the label ``factory`` is to say.
    """

    def __init__(self, factories: Mapping[str, WebSocketFactory]) -> None:
        self._factories = dict(factories)

    def collect(self) -> Iterator[Metric]:
        """The metrics; what there is of one factory is of one moment."""
        counted = {name: each.counters() for name, each in self._factories.items()}
        yield from _plain(counted)
        yield _refused(counted)
        yield _closed(counted)
        yield from _both_ways(counted)


_Counted = Mapping[str, Counters]


def _plain(counted: _Counted) -> Iterator[Metric]:
    for field, text in _GAUGES.items():
        gauge = GaugeMetricFamily(f"txws_simple_{field}", text, labels=["factory"])
        for factory, counters in counted.items():
            gauge.add_metric([factory], getattr(counters, field))
        yield gauge
    for field, text in _TOTALS.items():
        total = CounterMetricFamily(f"txws_simple_{field}", text, labels=["factory"])
        for factory, counters in counted.items():
            total.add_metric([factory], getattr(counters, field))
        yield total


def _refused(counted: _Counted) -> Metric:
    family = CounterMetricFamily(
        "txws_simple_refused",
        "Handshakes that were refused.",
        labels=["factory", "status"],
    )
    for factory, counters in counted.items():
        for status, count in counters.refused.items():
            family.add_metric([factory, str(status)], count)
    return family


def _closed(counted: _Counted) -> Metric:
    family = CounterMetricFamily(
        "txws_simple_closed",
        "Connections that have ended behind their handshake.",
        labels=["factory", "code", "by"],
    )
    for factory, counters in counted.items():
        ends: Counter[tuple[str, str]] = Counter()
        for (code, by), count in counters.closed.items():
            ends[str(code) if code < 3000 else f"{code // 1000}xxx", by] += count
        for (label, by), count in ends.items():
            family.add_metric([factory, label, by], count)
    return family


def _both_ways(counted: _Counted) -> Iterator[Metric]:
    for what, text in _BOTH_WAYS.items():
        family = CounterMetricFamily(
            f"txws_simple_{what}", text, labels=["factory", "direction"]
        )
        for factory, counters in counted.items():
            for direction in ("in", "out"):
                count = getattr(counters, f"{what}_{direction}")
                family.add_metric([factory, direction], count)
        yield family
