"""Secrets of 30 kinds in each place where one may lie: they are found, and nothing that is written repeats one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.cli.test_cli import gonogo
from tests.security.scanners.checkouts import Checkout
from tests.security.scanners.plants import look_alikes, secrets
from tests.security.test_secret_patterns import PLANTED
from tests.servers import answers, serving

CONFIG = """version: 1
target: {production: https://a.example}
security:
  code:
    leave_out:
      [security/python-dependencies, security/node-dependencies, security/python-code, security/workflows]
"""
BEYOND_KINGFISHER = 5
"""Kinds, such as words beside `password`, that the tool for the history does not know."""


async def test_planted_secrets_are_found_everywhere_and_told_nowhere(tmp_path: Path) -> None:
    old, current = secrets(), secrets()
    kinds = list(current)
    checkout = Checkout(tmp_path / "shop")
    checkout.write({f"old/{kind}.txt": text + "\n" for kind, (_, text) in old.items()}).commit("oops")
    checkout.git("rm", "--quiet", "-r", "old")
    checkout.write({"gonogo.yaml": CONFIG, ".gitignore": "evidence/\n"})
    checkout.write({f"tracked/{kind}.txt": current[kind][1] + "\n" for kind in kinds[::2]}).commit()
    checkout.write({f"untracked/{kind}.txt": current[kind][1] + "\n" for kind in kinds[1::2]})
    checkout.write({f"alike/{name}": text for name, text in look_alikes().items()})
    bundle = "".join(f"let a{number} = '{secret}';\n" for number, secret in enumerate(PLANTED.values()))
    routes = {
        "/": answers("<title>a</title><script src=/app.js></script>"),
        "/app.js": answers(bundle, type_="text/javascript"),
        "*": answers("no", status=404),
    }
    async with serving(routes) as url:
        done = await asyncio.to_thread(
            gonogo, "check", "security", "--url", url, "-v", cwd=checkout.root, HOME=str(tmp_path)
        )
    assert done.returncode == 1, done.stderr

    evidence = checkout.root / "evidence"
    results = {r["spec"]["id"]: r for r in json.loads((evidence / "security.json").read_text())["results"]}
    in_tree = {finding["location"]["path"] for finding in results["security/secrets-tree"]["findings"]}
    assert in_tree == {
        *(f"tracked/{kind}.txt" for kind in kinds[::2]),
        *(f"untracked/{kind}.txt" for kind in kinds[1::2]),
    }, "each, and no look-alike"
    in_history = {finding["location"]["path"] for finding in results["security/secrets-history"]["findings"]}
    assert len([path for path in in_history if path.startswith("old/")]) >= len(kinds) - BEYOND_KINGFISHER >= 25
    assert len(results["security/bundle-secrets"]["findings"]) >= 25

    written = {path.name: path.read_text(errors="replace") for path in evidence.rglob("*") if path.is_file()}
    assert {"security.json", "verdict.json", "report.html", "summary.md", "junit.xml", "gonogo.sarif"} <= set(written)
    written |= {"standard output": done.stdout, "standard error": done.stderr}
    planted = [secret for made in (old, current) for secret, _ in made.values()] + list(PLANTED.values())
    lines = {line for secret in planted for line in secret.splitlines() if line and not line.startswith("-----")}
    assert len(lines) >= 100
    assert {name for name, text in written.items() if any(line in text for line in lines)} == set()
