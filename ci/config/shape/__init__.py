"""The shape of `gonogo.yaml`. Every field has a default but the target; secrets are named, never written."""

from __future__ import annotations

from typing import Literal

from ci.config.shape.deploy import Deploy
from ci.config.shape.gate import Gate
from ci.config.shape.load import Load
from ci.config.shape.monitor import Monitor
from ci.config.shape.scalars import Section
from ci.config.shape.security import Security
from ci.config.shape.smoke import Smoke
from ci.config.shape.target import Target


class Config(Section):
    """Everything Gonogo is told about one application."""

    version: Literal[1] = 1
    target: Target
    smoke: Smoke = Smoke()
    security: Security = Security()
    load: Load = Load()
    gate: Gate = Gate()
    deploy: Deploy = Deploy()
    monitor: Monitor = Monitor()

    def secret_variables(self) -> tuple[str, ...]:
        """Names of the environment variables whose values must never be shown."""
        login, deploy = self.smoke.login, self.deploy
        names = [login.password, login.expired_token] if login else []
        names += [section.token for section in (deploy.watch, deploy.purge) if section]
        names += [deploy.error_log.database] if deploy.error_log else []
        return tuple(name for name in (*names, deploy.webhook, *self.monitor.secret_variables()) if name)
