import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci.config import Config, load_config, parse_config
from ci.config.schema import json_schema
from ci.errors import ConfigError

ROOT = Path(__file__).parents[2]
LEAST = "target: {production: https://app.example.com/}"


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return str(caught.value)


def test_only_the_target_has_no_default() -> None:
    config = parse_config(LEAST)
    assert config.target.production == "https://app.example.com"
    assert config.gate.max_age == timedelta(hours=1)
    assert config.gate.required == ("smoke", "security", "load")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "gonogo.yaml: is empty"),
        ("# only a comment\n", "gonogo.yaml: is empty"),
        ("- a\n", "gonogo.yaml:1: must be a mapping such as `target: …`, not a list"),
        ("hello\n", "gonogo.yaml:1: must be a mapping"),
        ("smoke: {}\n", "`target` is missing"),
        (f"{LEAST}\nsmok: {{}}\n", "gonogo.yaml:2: unknown key `smok`; did you mean `smoke`?"),
        (f"{LEAST}\nload:\n  users: 5\n  slo:\n    p59_ms: 3\n", "gonogo.yaml:5: unknown key `load.slo.p59_ms`; did you mean `p95_ms`?"),
        (f"{LEAST}\nsmoke:\n  api:\n    - path: /a\n    - path: /b\n      metod: GET\n", "gonogo.yaml:6: unknown key `smoke.api.1.metod`; did you mean `method`?"),
        (f"{LEAST}\nsmoke:\n  login:\n    refresh: {{pth: /x}}\n", "gonogo.yaml:4: unknown key `smoke.login.refresh.pth`; did you mean `path`?"),
        (f"{LEAST}\nzzz: 1\n", "known here: version, target, smoke"),
        ("target: {production: app.example.com}\n", "write it with its scheme"),
        ("target: {production: 'https://u:p@app.example.com'}\n", "must not hold a user name"),
        (f"{LEAST}\ngate: {{max_age: 1}}\n", "write a number and a unit"),
        (f"{LEAST}\ngate: {{max_age: 0s}}\n", "longer than nothing"),
        (f"{LEAST}\ngate: {{required: []}}\n", "`gate.required`"),
        (f"{LEAST}\ngate: {{required: [smke]}}\n", "neither a stage nor a check"),
        (f"{LEAST}\nsmoke: {{pages: [about]}}\n", "must begin with one slash"),
        (f"{LEAST}\nsmoke: {{pages: [//evil.example]}}\n", "must begin with one slash"),
        (f"{LEAST}\nsmoke: {{}}\nsmoke: {{}}\n", "gonogo.yaml:3: `smoke` stands here twice (first on line 2)"),
        (f"{LEAST}\nload: {{users: many}}\n", "gonogo.yaml:2: `load.users`"),
        (f"{LEAST}\n  bad: [\n", "is not valid YAML"),
        ("target: {production: https://a.example, identity: {path: /x}}", "either `json` (a dotted path) or `header`"),
        ("a: &a [*a]\n", "gonogo.yaml"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, wanted: str) -> None:
    assert wanted in complaint(text)


def test_every_mistake_is_told_at_once() -> None:
    told = complaint(f"{LEAST}\nsmok: 1\nlod: 2\n")
    assert ":2:" in told
    assert ":3:" in told


def test_a_secret_in_the_file_is_refused_without_repeating_it() -> None:
    told = complaint(f"{LEAST}\nsmoke: {{login: {{password: 'hunter2!'}}}}\n")
    assert "NAME of an environment variable" in told
    assert "hunter2" not in told


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="create it with at least"):
        load_config(tmp_path / "gonogo.yaml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "gonogo.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)


@given(text=st.text(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["target", "smoke", "load", "api", "x"]), inner, max_size=3),
    max_leaves=8,
).map(yaml.safe_dump))  # fmt: skip
def test_nothing_but_a_config_error_comes_of_any_text(text: str) -> None:
    try:
        assert isinstance(parse_config(text), Config)
    except ConfigError as error:
        assert str(error).startswith("gonogo.yaml")


def test_secret_variables_are_known() -> None:
    config = parse_config(f"{LEAST}\nsmoke: {{login: {{password: PW, expired_token: OLD}}}}\n")
    assert config.secret_variables() == ("PW", "OLD")


def test_the_json_schema_in_the_repository_is_the_one_of_the_code() -> None:
    assert (ROOT / "gonogo.schema.json").read_text() == json_schema(), "run `make docs`"


def test_the_json_schema_accepts_what_the_loader_accepts() -> None:
    schema = json.loads(json_schema())
    validator = jsonschema.Draft202012Validator(schema)
    target = "target: {production: https://a.example, identity: {path: /h, json: commit}}\n"
    good = target + "gate: {max_age: 90m, fail_on: high}\n"
    parse_config(good)
    assert not list(validator.iter_errors(yaml.safe_load(good)))
    assert list(validator.iter_errors({"target": {"production": "https://a.example"}, "smok": {}}))
    assert list(validator.iter_errors({"target": {"production": "https://a.example"}, "gate": {"max_age": "1"}}))


def test_a_configuration_survives_the_journey_to_another_process() -> None:
    config = parse_config(f"{LEAST}\nload: {{warm_up: 500ms, duration: 90m, request_timeout: 1500ms}}\n")
    assert Config.model_validate_json(config.model_dump_json(by_alias=True)) == config
