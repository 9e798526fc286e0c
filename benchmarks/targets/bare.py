"""The bare script that Gonogo's load generator is compared with: Locust's FastHttpUser, as fast as it can."""

from __future__ import annotations

from locust import FastHttpUser, task


class Bare(FastHttpUser):
    @task
    def get(self) -> None:
        self.client.get("/")
