"""Numbers and plots of a load, for people: pure."""

from __future__ import annotations

import math

import numpy as np

from ci.load import capacity, comparison
from ci.load.eprocess import Floats, ratio_interval
from ci.load.load_run import LoadRun
from ci.load.recording import Arm
from ci.load.samples import Samples, quantile
from ci.load.sequential import Ruling
from ci.model import Measure, Plot, Series

BIN_S = 0.5
MAX_POINTS = 200
MOST_PERCENT = 100.0
"""An interval that reaches further is not drawn: at the beginning hardly anything is known."""


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
    if run.plan.profile == "capacity":
        reached = capacity.climb(run.plan, run.limits, run.samples, run.ending.until_s).highest
        found.append(Measure(name="capacity", value=reached or 0.0, unit="requests/s"))
    return tuple(found + _beside_the_baseline(run))


def _beside_the_baseline(run: LoadRun) -> list[Measure]:
    if not run.paired:
        return []
    whole = comparison.of_the_whole(run.standing, worse=False)
    margins = {"typical latency": run.demands.typical_margin, "p95": run.demands.p95_margin}
    found = [
        Measure(
            name=f"{name} against the baseline",
            value=round(ratio.estimate * 100 - 100, 1),
            unit="%",
            limit=round(margins[name] * 100, 1),
        )
        for name, ratio in (("typical latency", whole.typical), ("p95", whole.p95))
        if math.isfinite(ratio.estimate)
    ]
    found += [Measure(name="decided after", value=moment.value, unit="s") for moment in _decision(run, 0.0)]
    return found


def plots(run: LoadRun) -> tuple[Plot, ...]:
    """The comparison over time, the distribution of latency, latency over time, and throughput."""
    drawn = (_comparison(run), _distribution(run), _over_time(run), _throughput(run))
    return tuple(plot for plot in drawn if plot)


def _comparison(run: LoadRun) -> Plot | None:
    blocks = run.standing.blocks
    if not run.paired or not len(blocks.end_s):
        return None
    lines = [
        _ratio("typical", blocks.end_s, blocks.typical_log_ratio, run.demands.alpha),
        _ratio("95th percentile", blocks.end_s, blocks.p95_log_ratio, run.demands.alpha),
    ]
    return Plot(
        title="Candidate beside the baseline",
        x_label="seconds since the warm-up",
        y_label="slower by, in %, with what is not refuted",
        series=tuple(line for line in lines if line.points),
        limits=(Measure(name="tolerated", value=round(run.demands.tolerated * 100, 2), unit="%"),),
        moments=_decision(run, 0.0),
    )


def _ratio(name: str, end_s: Floats, log_ratios: Floats, alpha: float) -> Series:
    """The estimate from all blocks so far, and the interval that holds the truth at all times."""
    low, high = ratio_interval(log_ratios, alpha)
    points, band = [], []
    for i in _thinned(len(end_s)):
        seen = log_ratios[: i + 1]
        seen = seen[~np.isnan(seen)]
        if len(seen):
            at = float(end_s[i])
            points.append((at, round(_percent(float(np.exp(np.median(seen)))), 2)))
            ends = _percent(float(low[i])), _percent(float(high[i]))
            if low[i] > 0 and ends[1] <= MOST_PERCENT:
                band.append((at, round(ends[0], 2), round(ends[1], 2)))
    return Series(name=name, points=tuple(points), band=tuple(band))


def _distribution(run: LoadRun) -> Plot | None:
    """The quantile function: where it crosses 95 %, it must be below the objective."""
    shares = np.linspace(0.005, 1.0, MAX_POINTS)
    series = []
    for arm in run.plan.arms:
        felt = run.felt_of(arm)
        if len(felt):
            values = np.quantile(felt.latency_ms, shares, method="inverted_cdf")
            points = zip(shares, values, strict=True)
            series.append(
                Series(name=arm.words, points=tuple((round(float(s) * 100, 1), round(float(v), 2)) for s, v in points))
            )
    if not series:
        return None
    return Plot(
        title="Latency by share of requests",
        x_label="share of requests in %",
        y_label="latency in ms",
        series=tuple(series),
        limits=_objective(run),
    )


def _over_time(run: LoadRun) -> Plot | None:
    series = []
    for arm in run.plan.arms:
        timed = run.samples.arm(arm).timed
        for share in (0.5, 0.95):
            points = _binned(timed, share, _width_s(run))
            if points and (arm is Arm.CANDIDATE or share > 0.5):
                named = f"{arm.words} p{share * 100:.0f}" if run.paired else f"p{share * 100:.0f}"
                series.append(Series(name=named, points=points))
    if not series:
        return None
    return Plot(
        title="Latency over time",
        x_label="seconds since the load began",
        y_label="latency in ms",
        series=tuple(series),
        limits=_objective(run),
        moments=_decision(run, run.plan.warm_up_s),
    )


def _throughput(run: LoadRun) -> Plot | None:
    """What was answered and what failed, by the time at which it was sent."""
    width_s = _width_s(run)
    series = []
    for arm in run.plan.arms:
        samples = run.samples.arm(arm).sent_within(0.0, math.inf)
        if not len(samples):
            continue
        bins = int(samples.start_s.max() / width_s) + 1
        for name, some in (("requests", samples), ("failures", samples.failed)):
            sent_s = some.start_s + some.rows["lag"] / 1e3
            counts = np.bincount(np.minimum(sent_s / width_s, bins - 1).astype(int), minlength=bins)
            if counts.any():
                rates = [(round((b + 0.5) * width_s, 3), round(float(n) / width_s, 2)) for b, n in enumerate(counts)]
                # The last bin is only partly filled.
                series.append(Series(name=f"{arm.words}: {name}", points=tuple(rates[:-1] or rates)))
    if not series:
        return None
    return Plot(
        title="Throughput and failures",
        x_label="seconds since the load began",
        y_label="requests per second",
        series=tuple(series),
        moments=_decision(run, run.plan.warm_up_s),
    )


def _binned(timed: Samples, share: float, width_s: float) -> tuple[tuple[float, float], ...]:
    bins = (timed.start_s / width_s).astype(int)
    filled = [(float((b + 0.5) * width_s), timed.latency_ms[bins == b]) for b in np.unique(bins)[:MAX_POINTS]]
    return tuple((round(at, 3), round(quantile(values, share), 2)) for at, values in filled)


def _width_s(run: LoadRun) -> float:
    return max(BIN_S, (float(run.samples.start_s.max()) + BIN_S) / MAX_POINTS) if len(run.samples) else BIN_S


def _objective(run: LoadRun) -> tuple[Measure, ...]:
    return (Measure(name="p95 objective", value=run.limits.p95_ms, unit="ms"),)


def _decision(run: LoadRun, offset_s: float) -> tuple[Measure, ...]:
    decided_s = run.standing.decided_s
    if not math.isfinite(decided_s) or run.ruling in (Ruling.INCONCLUSIVE, Ruling.UNHEALTHY):
        return ()
    return (Measure(name="decided", value=round(decided_s + offset_s, 2), unit="s"),)


def _thinned(count: int) -> range:
    """Indexes of at most `MAX_POINTS` of so many, among them the last."""
    step = max(1, math.ceil(count / MAX_POINTS))
    return range((count - 1) % step, count, step)


def _percent(ratio: float) -> float:
    return (ratio - 1) * 100
