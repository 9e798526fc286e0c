"""Which stages run when, then the gate, promotion and verification: the one place that knows them all."""

from ci.pipeline.checking import NO_TARGET, check, publish, subject_of, subject_of_code
from ci.pipeline.stages import ALONE, catalogue, stage_names

__all__ = [
    "ALONE",
    "NO_TARGET",
    "catalogue",
    "check",
    "publish",
    "stage_names",
    "subject_of",
    "subject_of_code",
]
