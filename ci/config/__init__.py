"""`gonogo.yaml`: its shape, reading it, and its JSON Schema."""

from ci.config.load import load_config, parse_config
from ci.config.shape import Config

__all__ = ["Config", "load_config", "parse_config"]
