"""The JSON Schema of `gonogo.yaml`, by which editors complete it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from ci.config.shape import Config
from ci.config.shape.scalars import spelled


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Defaults as one would write them in the file."""
        return spelled(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> str:
    """JSON Schema (draft 2020-12) as text; `gonogo.schema.json` is this, and a test checks it for drift."""
    schema = Config.model_json_schema(by_alias=True, schema_generator=_Schema)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "gonogo.yaml"}
    return json.dumps(schema, indent=1) + "\n"
