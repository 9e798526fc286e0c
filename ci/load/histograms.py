"""Latencies as HdrHistogram logs, for the tools that read those (HistogramLogAnalyzer, hdr-plot and others)."""

from __future__ import annotations

import io

import numpy as np

from ci.load.load_run import LoadRun
from ci.load.recording import Arm

HIGHEST_US = 3_600_000_000
"""An hour. Longer than any time-out."""
DIGITS = 3


def logs(run: LoadRun) -> dict[str, str]:
    """The content of a log for each arm, by file name: microseconds from the intended start, after the warm-up."""
    return {f"load-{arm.words}.hlog": _log(run, arm) for arm in run.plan.arms}


def _log(run: LoadRun, arm: Arm) -> str:
    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogWriter

    histogram = HdrHistogram(1, HIGHEST_US, DIGITS)
    micros = np.clip(np.round(run.felt_of(arm).latency_ms.astype(float) * 1e3), 1, HIGHEST_US).astype(np.int64)
    for value, count in zip(*np.unique(micros, return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))
    out = io.StringIO()
    writer = HistogramLogWriter(out)
    writer.output_comment(
        f"[{arm.words}: {run.plan.url_of(arm)}, latency in microseconds, the largest in milliseconds]"
    )
    writer.output_log_format_version()
    writer.output_legend()
    writer.output_interval_histogram(histogram, run.plan.warm_up_s, run.plan.judged_to_s, 1e3)
    return out.getvalue()
