"""What a job is told by its environment."""

from __future__ import annotations

import pytest

from ci.config import Config
from ci.errors import ConfigError
from ci.workflow.heavy_load import with_profile
from ci.workflow.inputs import CandidateInputs, GateInputs, StageInputs
from tests.workflow.conftest import ID, SHA


def test_empty_is_absent_and_lists_are_split() -> None:
    told = GateInputs.of(
        {"GONOGO_URL": " https://a.example.com/ ", "GONOGO_STAGES": "smoke, security,", "GONOGO_COMMIT": ""}
    )
    assert told == GateInputs(url="https://a.example.com", stages=("smoke", "security"))


@pytest.mark.parametrize(
    ("kind", "environ", "named"),
    [
        (GateInputs, {}, "GONOGO_URL: is not set"),
        (GateInputs, {"GONOGO_URL": "https://a.example.com", "GONOGO_COMMIT": "hunter22"}, "GONOGO_COMMIT"),
        (GateInputs, {"GONOGO_URL": "https://a.example.com/$(id)"}, "GONOGO_URL"),
        (StageInputs, {"GONOGO_TARGET": "staging", "GONOGO_COMMIT": SHA}, "GONOGO_TARGET"),
        (CandidateInputs, {"GONOGO_DEPLOYMENT": f"{ID}/../x"}, "GONOGO_DEPLOYMENT"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(kind: type[GateInputs], environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as raised:
        kind.of(environ)
    assert "hunter22" not in str(raised.value)
    assert "$(id)" not in str(raised.value)


def test_a_load_profile() -> None:
    config = Config.model_validate({"target": {"production": "https://a.example.com"}})
    assert with_profile(config, None) is config
    assert with_profile(config, "spike").load.profile == "spike"
    with pytest.raises(ConfigError, match="GONOGO_PROFILE"):
        with_profile(config, "heavy; rm")
