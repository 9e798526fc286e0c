"""Which stages run when, then the gate, promotion and verification: the one place that knows them all."""

from ci.pipeline.checking import check, publish, subject_of
from ci.pipeline.stages import ALONE, catalogue, stage_names

__all__ = ["ALONE", "catalogue", "check", "publish", "stage_names", "subject_of"]
