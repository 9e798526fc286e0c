"""Numbers and plots of a load, for people: pure."""

from __future__ import annotations

import numpy as np

from ci.load.judge import LoadRun
from ci.load.samples import Samples, quantile
from ci.model import Measure, Plot, Series

BIN_S = 0.5
MAX_POINTS = 200


def measures(run: LoadRun) -> tuple[Measure, ...]:
    """The stage's service level indicators, after the warm-up."""
    judged, felt = run.judged, run.felt
    found = [
        Measure(name="requests", value=len(judged), unit="requests"),
        Measure(name="rate", value=round(run.rate, 2), unit="requests/s"),
    ]
    if len(judged):
        share = len(judged.failed) / len(judged)
        found.append(Measure(name="error rate", value=round(share, 6), unit="share", limit=run.limits.error_rate))
    if len(felt):
        limits = {"p50": None, "p95": run.limits.p95_ms, "p99": None}
        for name, limit in limits.items():
            value = quantile(felt.latency_ms, int(name[1:]) / 100)
            found.append(Measure(name=name, value=round(value, 2), unit="ms", limit=limit))
    return tuple(found)


def plots(run: LoadRun) -> tuple[Plot, ...]:
    """Latency over time, and its distribution."""
    limit = (Measure(name="p95 objective", value=run.limits.p95_ms, unit="ms"),)
    over_time = _over_time(run.samples.timed)
    distribution = _distribution(run.felt)
    drawn = []
    if over_time:
        drawn.append(
            Plot(
                title="Latency over time",
                x_label="seconds since the load began",
                y_label="latency in ms",
                series=over_time,
                limits=limit,
            )
        )
    if distribution:
        drawn.append(
            Plot(
                title="Latency by share of requests",
                x_label="share of requests in %",
                y_label="latency in ms",
                series=distribution,
                limits=limit,
            )
        )
    return tuple(drawn)


def _over_time(timed: Samples) -> tuple[Series, ...]:
    if not len(timed):
        return ()
    width = max(BIN_S, float(timed.start_s.max()) / MAX_POINTS)
    bins = (timed.start_s / width).astype(int)
    filled = [(float((b + 0.5) * width), timed.latency_ms[bins == b]) for b in np.unique(bins)[:MAX_POINTS]]
    return tuple(
        Series(name=name, points=tuple((round(at, 3), round(quantile(values, share), 2)) for at, values in filled))
        for name, share in (("p50", 0.5), ("p95", 0.95))
    )


def _distribution(timed: Samples) -> tuple[Series, ...]:
    """The quantile function: where it crosses 95 %, it must be below the objective."""
    if not len(timed):
        return ()
    shares = np.linspace(0.005, 1.0, MAX_POINTS)
    values = np.quantile(timed.latency_ms, shares, method="inverted_cdf")
    points = tuple((round(float(s) * 100, 1), round(float(v), 2)) for s, v in zip(shares, values, strict=True))
    return (Series(name="all requests", points=points),)
