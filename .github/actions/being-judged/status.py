"""Publish the commit status "being judged" for the deployment that Vercel has just built.

A *pending* status has been seen not to hold Vercel's domain, so this one is a terminal `failure`; after GO, and after
nothing else, `gonogo workflow tell` turns it into `success`. Only Python's own library is used, and of the event only
what has the shape of a commit and of a name goes anywhere.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TRIES = 4
TIMEOUT_S = 10.0


class Wrong(Exception):
    """The status cannot be published; the message says why."""


def status_of(event: object) -> tuple[str, dict[str, str]]:
    """The commit and the status' fields. Raises Wrong when the event has not the shape of Vercel's."""
    payload = event.get("client_payload") if isinstance(event, dict) else None
    git = payload.get("git") if isinstance(payload, dict) else None
    sha = git.get("sha") if isinstance(git, dict) else None
    environment = payload.get("environment") if isinstance(payload, dict) else None
    if not isinstance(sha, str) or not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", sha):
        raise Wrong("the payload names no commit in git.sha")
    if not isinstance(environment, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", environment):
        raise Wrong("the payload names no environment")
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return sha, {
        "state": "failure",
        "context": f"gonogo/{environment.lower()}",
        "description": "being judged: the domain waits for GO",
        "target_url": f"{server}/{repository}/actions/runs/{run}",
    }


def publish(sha: str, status: dict[str, str]) -> None:
    """Send it, again when the network or GitHub's side fails. Raises Wrong when it did not arrive."""
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    request = urllib.request.Request(
        f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/statuses/{sha}",
        data=json.dumps(status).encode(),
        headers={
            "authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "accept": "application/vnd.github+json",
            "content-type": "application/json",
            "user-agent": "gonogo",
        },
        method="POST",
    )
    problem = ""
    for attempt in range(TRIES):
        try:
            # The address is GitHub's own, told by the runner.
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # nosec B310
                return
        except urllib.error.HTTPError as error:
            problem = f"GitHub answered {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except OSError as error:
            problem = f"GitHub could not be reached: {error}"
        time.sleep(2**attempt / 2)
    raise Wrong(f"{problem}; is `statuses: write` among the job's permissions?")


def main() -> None:
    try:
        sha, status = status_of(json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_bytes()))
        publish(sha, status)
    except (Wrong, OSError, ValueError, KeyError) as problem:
        sys.exit(f"being judged: the status was not published: {problem}")
    print(f"{status['context']} on {sha}: {status['description']}")


if __name__ == "__main__":
    main()
