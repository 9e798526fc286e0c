"""What the sequential gate demands, and how sure its answers must be."""

from __future__ import annotations

from ci.config.shape.load import Load
from ci.model import Model

EARLIEST_PASS_S = 10.0
"""Seconds after the warm-up: what shows only after a while must have a chance to."""


class Demands(Model):
    """What is demanded, and how sure an answer must be."""

    error_rate: float
    relative: bool = True
    """Compare with the baseline. Without one, only the objectives are judged."""
    p95_ms: float | None = None
    tolerated: float = 0.05
    """A regression up to this share is nobody's concern (δ)."""
    alpha: float = 0.01
    """Chance of an alarm without cause."""
    beta: float = 0.02
    """Chance of a pass without merit."""
    typical_margin: float = 0.10
    """A pass shows that the typical ratio has not risen by more than this share, ..."""
    p95_margin: float = 0.20
    """... nor the 95th percentile by more than this."""
    earliest_pass_s: float = EARLIEST_PASS_S
    cap_s: float = 60.0

    @classmethod
    def of(cls, load: Load, *, duration_s: float, relative: bool) -> Demands:
        """What the configuration demands of a load that is judged for so long, with a baseline or without.

        Only the profile `gate` ends with the first certain pass; the others are there for what comes later.
        """
        regression = load.regression
        return cls(
            error_rate=load.slo.error_rate,
            relative=relative,
            p95_ms=load.slo.p95_ms,
            tolerated=regression.delta,
            alpha=regression.alpha,
            beta=regression.beta,
            typical_margin=regression.typical_margin,
            p95_margin=regression.p95_margin,
            earliest_pass_s=min(EARLIEST_PASS_S, duration_s) if load.profile == "gate" else duration_s,
            cap_s=duration_s,
        )
