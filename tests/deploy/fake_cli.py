"""Stands in for Vercel's command line: creates a deployment by the API, and fails where it is told to.

What it was given goes to the file in FAKE_CLI_LOG. FAKE_CLI: `flat`, `url`, `nothing`, `dies` (after creating),
`refused` (before creating), `hangs`, `production` (whatever was asked for). `pull` and `build` do nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request


def main(arguments: list[str]) -> int:
    mode = os.environ.get("FAKE_CLI", "nested")
    with open(os.environ["FAKE_CLI_LOG"], "a") as log:
        log.write(json.dumps({"arguments": arguments, "environ": dict(os.environ)}) + "\n")
    if mode == "refused":
        print("Error: not today", file=sys.stderr)
        return 1
    if arguments[0] in ("pull", "build"):
        return 0
    meta = dict(arguments[i + 1].split("=", 1) for i, word in enumerate(arguments) if word == "--meta")
    body = {
        "name": "demo",
        "target": "production" if "--prod" in arguments or mode == "production" else None,
        "autoAssignCustomDomains": "--skip-domain" not in arguments,
        "meta": meta,
        "gitSource": {"sha": meta["gonogoCommit"], "ref": "main"},
        "files": [],
    }
    created = json.loads(_post(arguments[arguments.index("--api") + 1], body))
    if mode == "hangs":
        time.sleep(600)
    if mode == "dies":
        return 1
    shapes = {
        "nested": json.dumps({"status": "ok", "deployment": {"id": created["id"], "url": created["url"]}}),
        "flat": json.dumps({"id": created["id"]}),
        "url": f"https://{created['url']}",
        "nothing": "",
    }
    print(shapes.get(mode, shapes["flat"]))
    return 0


def _post(api: str, body: dict) -> bytes:
    request = urllib.request.Request(
        f"{api}/v13/deployments?teamId={os.environ['VERCEL_ORG_ID']}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {os.environ['VERCEL_TOKEN']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
