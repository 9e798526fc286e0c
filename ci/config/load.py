"""Reading `gonogo.yaml`, with errors that name the line and the nearest known key."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ci.config.shape import Config
from ci.errors import ConfigError, nearest

Location = tuple[int | str, ...]


def load_config(path: Path) -> Config:
    """Read the file. Raises ConfigError with one line per mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file; create it with at least\n  target: {{production: https://your.app}}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse_config(text, str(path))


def parse_config(text: str, name: str = "gonogo.yaml") -> Config:
    """The configuration in `text`. Raises ConfigError with one line per mistake, `name:line: …`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise ConfigError(f"{name}: is empty; it needs at least\n  target: {{production: https://your.app}}")
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{name}:1: must be a mapping such as `target: …`, not {_kind(root)}")
        _refuse_doubles(root, name)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: is not valid YAML: {error.problem or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: is not valid YAML: {error}") from error
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        lines = (f"{name}:{_line(root, e['loc'])}: {_sentence(e)}" for e in error.errors(include_url=False))
        raise ConfigError("\n".join(lines)) from None


def _sentence(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            *parents, key = error["loc"]
            return f"unknown key `{where}`; {nearest(str(key), _keys_at(tuple(parents)))}"
        case "missing":
            return f"`{where}` is missing"
        case "value_error":
            return f"`{where}`: {error['msg'].removeprefix('Value error, ')}"
        case _:
            return f"`{where}`: {error['msg'][0].lower()}{error['msg'][1:]}"


def _keys_at(location: Location) -> list[str]:
    """The keys that the model knows at this place."""
    model = _model_at(Config, location)
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(annotation: Any, location: Location) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            return annotation
        key, *rest = location
        for name, field in annotation.model_fields.items():
            if key in {name, field.alias}:
                return _model_at(field.annotation, tuple(rest))
        return None
    arguments = [a for a in typing.get_args(annotation) if a not in {type(None), Ellipsis}]
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return next((m for a in arguments if (m := _model_at(a, location))), None)
    if arguments and location:  # an item of a sequence or a mapping: its place takes one step
        return _model_at(arguments[-1], location[1:])
    return None


def _line(node: yaml.Node, location: Location) -> int:
    """The line of the key at this place, or of the nearest place above it that exists."""
    line = node.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _refuse_doubles(node: yaml.Node, name: str) -> None:
    """YAML keeps the last of two equal keys in silence; here both must be seen."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{name}:{line}: a key must be a word, not {_kind(key)}")
            if key.value in seen:
                raise ConfigError(f"{name}:{line}: `{key.value}` stands here twice (first on line {seen[key.value]})")
            seen[key.value] = line
            _refuse_doubles(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_doubles(item, name)


def _kind(node: yaml.Node) -> str:
    kinds = {yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
    return next((word for kind, word in kinds.items() if isinstance(node, kind)), "a single value")
