"""Reading OpenAPI documents (3.0 and 3.1): which operations can be asked safely, and which answers they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ci.errors import CannotRun
from ci.model import ErrorKind

BASE = "urn:gonogo:openapi"

_NOT_TO_BE_CALLED = re.compile(
    r"(?i)log-?out|sign-?out|log-?off|delete|remove|revoke|unsubscribe|cancel|reset|callback|/cron\b"
)
"""GETs that do something in spite of RFC 9110, section 9.2.1; they are not called."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One documented GET that needs nothing but its URL."""

    template: str
    path: str
    needs_login: bool
    responses: Mapping[str, Any]

    def promised(self, status: int) -> Any:
        """The documented response for a status: exact, by its class, or the default; None when there is none."""
        for name in (str(status), f"{status // 100}XX", f"{status // 100}xx", "default"):
            if name in self.responses:
                return self.responses[name]
        return None

    def promises(self, status: int) -> bool:
        """Whether the status is documented; `default` stands for errors only."""
        named = {str(status), f"{status // 100}XX", f"{status // 100}xx"}
        return not named.isdisjoint(self.responses) or (status >= 400 and "default" in self.responses)


class Document:
    """An OpenAPI document."""

    def __init__(self, data: Any) -> None:
        """Raises CannotRun(BAD_OUTPUT) when `data` is no OpenAPI document of version 3."""
        version = str(data.get("openapi", "")) if isinstance(data, dict) else ""
        if not re.match(r"3\.[012](\.|$)", version) or not isinstance(data.get("paths", {}), dict):
            said = f"says `openapi: {version}`" if version else "has no field `openapi`"
            raise CannotRun(ErrorKind.BAD_OUTPUT, f"it {said}; wanted a document of OpenAPI 3.0 or 3.1")
        self.version = version
        self._data = _json_schema_of(data) if version.startswith("3.0") else data

    def operations(self) -> Iterator[Operation]:
        """The GETs that can be asked without arguments and do nothing."""
        prefix = self._prefix()
        for template, item in self._data.get("paths", {}).items():
            item = self._resolved(item)
            get = item.get("get")
            if not isinstance(get, dict) or "{" in template or _NOT_TO_BE_CALLED.search(template):
                continue
            parameters = [self._resolved(p) for p in (*item.get("parameters", ()), *get.get("parameters", ()))]
            if any(p.get("required") for p in parameters) or self._streams(get):
                continue
            responses = {str(status): self._resolved(answer) for status, answer in get.get("responses", {}).items()}
            yield Operation(template, prefix + template, self._needs_login(get), responses)

    def problem_with(self, body: Any, operation: Operation, status: int, media_type: str) -> str | None:
        """How a JSON body breaks the schema that is documented for it, or None."""
        from jsonschema import Draft202012Validator
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT202012

        content = (operation.promised(status) or {}).get("content", {})
        schema = content.get(media_type, content.get("application/*", content.get("*/*", {}))).get("schema")
        if schema is None:
            return None
        document = Resource.from_contents(self._data, default_specification=DRAFT202012)
        registry = Registry().with_resource(BASE, document)
        validator = Draft202012Validator(_absolute(schema), registry=registry)
        error = next(iter(sorted(validator.iter_errors(body), key=lambda e: len(e.absolute_path))), None)
        if error is None:
            return None
        place = ".".join(str(step) for step in error.absolute_path) or "the body"
        return f"{place}: {error.message[:200]}"

    def _prefix(self) -> str:
        """The path of the first server, under which all paths stand."""
        server: Mapping[str, Any] = next(iter(self._data.get("servers") or ()), {})
        url = str(server.get("url", ""))
        for name, variable in (server.get("variables") or {}).items():
            url = url.replace("{" + name + "}", str(variable.get("default", "")))
        return quote(urlsplit(url).path.rstrip("/"), safe="/%")

    def _needs_login(self, get: Mapping[str, Any]) -> bool:
        demanded = get.get("security", self._data.get("security")) or []
        return bool(demanded) and {} not in demanded

    def _streams(self, get: Mapping[str, Any]) -> bool:
        answers = (self._resolved(answer).get("content", {}) for answer in get.get("responses", {}).values())
        return any("text/event-stream" in content for content in answers)

    def _resolved(self, node: Any) -> dict[str, Any]:
        """The node itself, or what its `$ref` inside this document points at."""
        for _ in range(10):
            if not isinstance(node, dict):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return node
            node = self._data
            for step in reference[2:].split("/"):
                name = step.replace("~1", "/").replace("~0", "~")
                node = node.get(name) if isinstance(node, dict) else None
        return {}


def _absolute(schema: Any) -> Any:
    """The schema with its references anchored in the document, as it is taken out of it."""
    if isinstance(schema, dict):
        return {
            key: BASE + value
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def _json_schema_of(node: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON Schema 2020-12: `nullable`, and boolean exclusive limits."""
    if isinstance(node, list):
        return [_json_schema_of(item) for item in node]
    if not isinstance(node, dict):
        return node
    new = {key: _json_schema_of(value) for key, value in node.items()}
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(new.get(exclusive), bool) and new.pop(exclusive) and limit in new:
            new[exclusive] = new.pop(limit)
    if new.pop("nullable", None) is True:
        return {"anyOf": [new, {"type": "null"}]}
    return new
