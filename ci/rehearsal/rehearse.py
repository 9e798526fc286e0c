"""A whole release, offline: the real pipeline against the demo application and the stand-in for Vercel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ci.config import Config
from ci.engine.evidence import RELEASE_FILE, EvidenceStore
from ci.engine.progress import Progress
from ci.engine.redaction import Redactor
from ci.errors import ConfigError
from ci.model import Release, StageReport, Verdict
from ci.pipeline import releasing
from ci.rehearsal.flaws import Flaw, Place, named
from ci.rehearsal.scene import stage_scene

Show = Callable[[Redactor], AbstractContextManager[Progress]]
"""Makes the progress display, once the secrets that it must hide are known."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of a rehearsal."""

    reports: tuple[StageReport, ...]
    verdict: Verdict
    release: Release
    serving: str | None
    """Id of the deployment that production serves at the end, by the stand-in's own books."""
    baseline: str
    candidate: str


async def rehearse(
    evidence: Path,
    *,
    flaws: Sequence[str] = (),
    flaws_after_promotion: Sequence[str] = (),
    show: Show,
    say: Callable[[str], None],
) -> Rehearsed:
    """Rehearse a release; `flaws` are in the candidate, `flaws_after_promotion` show under production's domain alone.

    Raises ConfigError for a flaw that there is not or that verification cannot see, CannotRun when the scene
    cannot be set.
    """
    early = named(flaws)
    _demand_deployable(early)
    late = named(flaws_after_promotion)
    _demand_verifiable(late)
    evidence.mkdir(parents=True, exist_ok=True)
    # The stand-in of an earlier rehearsal is gone, and with it whatever its release had still to do.
    (evidence / RELEASE_FILE).unlink(missing_ok=True)
    staged = stage_scene(evidence / "logs", flaws=early, flaws_after_promotion=late, say=say)
    async with staged as scene:
        config = _verifying(scene.with_plain_port(scene.config, scene.candidate), late)
        redact = Redactor.of_environment(scene.environ, config.secret_variables())
        with show(redact) as progress:
            run = scene.run_on_candidate(config, EvidenceStore(evidence, redact), progress)
            release = await releasing.release(run, scene.candidate.id)
        return Rehearsed(
            reports=run.store.reports(),
            verdict=run.store.verdict(),
            release=run.store.redact.model(release),
            serving=scene.standin.state.current_id,
            baseline=scene.baseline.id,
            candidate=scene.candidate.id,
        )


def _demand_deployable(flaws: Sequence[Flaw]) -> None:
    for flaw in flaws:
        if flaw.place is Place.CODE:
            raise ConfigError(
                f"the flaw {flaw.name} is one of a repository, which a rehearsal does not scan; "
                f"try it by `gonogo drill {flaw.name}`"
            )


def _demand_verifiable(flaws: Sequence[Flaw]) -> None:
    _demand_deployable(flaws)
    for flaw in flaws:
        if flaw.place is Place.EDGE:
            raise ConfigError(
                f"the flaw {flaw.name} is the edge's and shows at one URL; give it to the candidate by --flaw"
            )
        if flaw.stage not in {"smoke", "security"}:
            raise ConfigError(
                f"the flaw {flaw.name} is for {flaw.check}; verification puts no load on production, "
                "so choose a flaw of a smoke or security check"
            )


def _verifying(config: Config, flaws: Sequence[Flaw]) -> Config:
    """The configuration with the flaws' checks among those that verification makes."""
    checks = dict.fromkeys((*(config.deploy.verify.checks or releasing.VERIFIED), *(flaw.check for flaw in flaws)))
    verify = config.deploy.verify.model_copy(update={"checks": tuple(checks)})
    return config.model_copy(update={"deploy": config.deploy.model_copy(update={"verify": verify})})
