"""The repository that a workflow runs in."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TIMEOUT = 30


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository with an origin at GitHub, named `owner/name`, that is never asked."""

    folder: Path
    remote: str

    @classmethod
    def make(cls, folder: Path, files: Mapping[str, str | bytes | Path], *, remote: str) -> Repository:
        """A first commit of these files; a Path is copied from, with its mode."""
        folder.mkdir(parents=True)
        made = cls(folder, remote)
        made.git("init", "-q", "-b", "main")
        made.git("config", "uploadpack.allowAnySHA1InWant", "true")
        made.git("remote", "add", "origin", f"https://github.com/{remote}.git")
        made.commit(files, "first")
        made.git("repack", "-adq")  # every checkout links to what is there: one pack instead of hundreds of objects
        return made

    def commit(self, files: Mapping[str, str | bytes | Path], message: str) -> str:
        """Write and commit; the commit's sha."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                path.write_bytes(content.read_bytes())
                path.chmod(content.stat().st_mode)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD").strip()

    def workflow_name(self, file: str) -> str:
        """What a workflow calls itself."""
        return str(self._workflow(file).get("name", file))

    def jobs(self, file: str) -> list[str]:
        """The jobs of a workflow."""
        return list(self._workflow(file)["jobs"])

    def _workflow(self, file: str) -> dict[str, Any]:
        return dict(yaml.safe_load((self.folder / ".github" / "workflows" / file).read_text()))

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *identity, "-C", str(self.folder), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        ).stdout
