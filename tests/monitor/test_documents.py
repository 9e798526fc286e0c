"""docs/monitoring.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ci.config import load_config
from ci.config.shape.monitor import Monitor
from ci.monitor.alerts.notice import Links, Notice
from ci.monitor.cost import choices
from ci.monitor.facts import Priority
from tests.monitor.told import NOW, episode, incident

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "monitoring.yml").read_text())


def test_the_example_is_a_configuration(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "gonogo.yaml").write_text(block)
    assert load_config(tmp_path / "gonogo.yaml").monitor.targets


def test_the_costs_are_those_that_the_command_prints():
    told = Monitor()
    minutes = {one.name: one.minutes_a_month for one in choices(told.interval, told.open_after)}
    rows = re.findall(r"^\| (one round every \d+ min|every 15 min, `--for[^`]*`)[^|]* \| ([\d,]+)", PAGE, re.MULTILINE)
    assert len(rows) == 4
    assert {name.replace("`", ""): int(count.replace(",", "")) for name, count in rows}.items() <= minutes.items()


def test_every_priority_has_its_place_in_the_runbook_and_its_time_on_the_page():
    spelled = {Priority.P0: "15 minutes", Priority.P1: "1 hour", Priority.P2: "4 hours", Priority.P3: "24 hours"}
    for priority, words in spelled.items():
        notice = Notice(
            "opened", episode(incident(priority=priority)), NOW, Links(runbook="https://x.example/runbook.md")
        )
        link = dict(notice.named_links())["What to do"]
        assert f"### {link.partition('#')[2].upper()}\n" in RUNBOOK
        assert re.search(rf"^\| \[{priority}\]\(runbook\.md#p\d\) \|.*\| {words} \|$", PAGE, re.MULTILINE)
        amount, unit = words.split()
        assert priority.respond_within.total_seconds() == int(amount) * {"m": 60, "h": 3600}[unit[0]]


def test_the_workflow_runs_when_the_page_says():
    triggers = WORKFLOW[True]  # YAML 1.1 reads `on` as a truth value
    (schedule,) = triggers["schedule"]
    minutes = re.search(r"at minutes ([\d, and]+) of every hour", PAGE)
    assert minutes
    assert schedule["cron"].split()[0] == ",".join(re.findall(r"\d+", minutes[1]))
    (event,) = triggers["repository_dispatch"]["types"]
    assert f'"event_type": "{event}"' in PAGE
    settings = str(WORKFLOW["jobs"]["round"])
    for variable in ("GONOGO_PAGES", "GONOGO_MONITOR_FOR", "GONOGO_MONITOR_EVERY", "ALERT_WEBHOOK_URL"):
        assert variable in settings
        assert variable in PAGE


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
