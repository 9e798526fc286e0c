"""What stands in deploy/load: valid for Kubernetes and GitHub, and true to the command line that it calls."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ci.cli.generating import run
from ci.cli.loading import judge
from ci.config import load_config

HERE = Path("deploy/load")
OLDEST, NEWEST = "1.29", kubernetes_validate.latest_version()


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((HERE / name).read_text()))


KUSTOMIZATION = manifests("kustomization.yaml")[0]
ALL = [manifest for name in KUSTOMIZATION["resources"] for manifest in manifests(name)]
[MASTER], [WORKERS] = manifests("master.yaml"), manifests("workers.yaml")
PODS = {"master": MASTER["spec"]["template"], "worker": WORKERS["spec"]["template"]}
WORKFLOW = manifests("matrix.yml")[0]


def arguments_of(text: str, command: str) -> list[str]:
    """The arguments of a `load` command in a shell script, with the values of its variables."""
    values = {"CANDIDATE": "https://c.example", "BASELINE": "https://b.example", "SHARD": "2", "SHARDS": "4"}
    plain = re.sub(r"\$\{\w+:\+(.*?)\}", r"\1", text.replace("\\\n", " "))
    plain = re.sub(r"\$(\w+)", lambda match: values[match[1]], plain)
    return shlex.split(plain.partition(f"load {command} ")[2].splitlines()[0])


def called(role: str) -> dict[str, Any]:
    script = PODS[role]["spec"]["containers"][0]["args"][0]
    return run.make_context("run", arguments_of(script, "run")).params


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifest", ALL, ids=lambda manifest: f"{manifest['kind']}-{manifest['metadata']['name']}")
def test_kubernetes_knows_every_field(manifest, version):
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_field_would_be_noticed():
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**MASTER, "spec": {**MASTER["spec"], "paralellism": 4}}, NEWEST, strict=True)


def test_everything_that_is_named_is_there():
    generated = KUSTOMIZATION["configMapGenerator"][0]
    assert all(
        (HERE / name).is_file() for name in (*generated["files"], *generated["envs"], *KUSTOMIZATION["resources"])
    )
    settings = dict(line.split("=", 1) for line in (HERE / "settings.env").read_text().splitlines() if line[0] != "#")
    assert set(settings) == {"GONOGO", "CANDIDATE", "BASELINE"}
    assert settings["GONOGO"].startswith("gonogo[load] @ https://")
    for pod in PODS.values():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        containers = (*pod["spec"]["initContainers"], *pod["spec"]["containers"])
        assert {mount["name"] for container in containers for mount in container["volumeMounts"]} <= volumes
        assert pod["spec"]["volumes"][-1]["configMap"]["name"] == generated["name"]


def test_the_image_is_the_official_one_of_the_locked_version():
    [locked] = re.findall(r"^locust==(\S+)", Path("requirements/load.txt").read_text(), re.MULTILINE)
    pods = [pod["spec"] for pod in PODS.values()]
    images = {container["image"] for pod in pods for container in (*pod["initContainers"], *pod["containers"])}
    assert images == {f"locustio/locust:{locked}"}


def test_as_many_workers_start_as_the_master_expects_and_they_find_it():
    load = load_config(HERE / "gonogo.yaml").load
    assert load.workers == WORKERS["spec"]["parallelism"] == WORKERS["spec"]["completions"]
    service = next(manifest for manifest in ALL if manifest["kind"] == "Service")
    host, _, port = called("worker")["worker"].partition(":")
    assert (host, int(port)) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])
    assert called("master")["master"].endswith(f":{port}")
    assert PODS["master"]["spec"]["containers"][0]["ports"] == [{"name": "locust", "containerPort": int(port)}]
    assert service["spec"]["selector"] == PODS["master"]["metadata"]["labels"]
    for role in PODS:
        assert called(role)["url"] == "https://c.example" and called(role)["baseline"] == "https://b.example"


def test_nobody_but_the_workers_may_talk_to_the_master():
    policies = [manifest["spec"] for manifest in ALL if manifest["kind"] == "NetworkPolicy"]
    selected = [policy["podSelector"]["matchLabels"] for policy in policies]
    assert selected == [PODS["master"]["metadata"]["labels"], PODS["worker"]["metadata"]["labels"]]
    [allowed] = policies[0]["ingress"]
    assert allowed["from"] == [{"podSelector": {"matchLabels": PODS["worker"]["metadata"]["labels"]}}]
    assert "ingress" not in policies[1]


def test_pods_may_do_little_and_are_tried_once():
    for job in (MASTER, WORKERS):
        pod = job["spec"]["template"]["spec"]
        assert job["spec"]["backoffLimit"] == 0 and pod["restartPolicy"] == "Never"
        assert job["spec"]["activeDeadlineSeconds"]
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        for container in (*pod["initContainers"], *pod["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_the_matrix_makes_every_shard_once_and_judges_them_together():
    shards, verdict = WORKFLOW["jobs"]["shard"], WORKFLOW["jobs"]["verdict"]
    assert shards["strategy"]["matrix"]["shard"] == list(range(1, WORKFLOW["env"]["SHARDS"] + 1))
    assert verdict["needs"] == "shard" and "if" not in verdict
    [making] = [step for step in shards["steps"] if "load run" in step.get("run", "")]
    assert run.make_context("run", arguments_of(making["run"], "run")).params["shard"] == "2/4"
    [judging] = [step for step in verdict["steps"] if "load judge" in step.get("run", "")]
    assert judge.make_context("judge", arguments_of(judging["run"], "judge")).params["files"]
    kept = next(step["with"] for step in shards["steps"] if "upload-artifact" in step.get("uses", ""))
    fetched = next(step["with"] for step in verdict["steps"] if "download-artifact" in step.get("uses", ""))
    assert kept["name"].startswith(fetched["pattern"].rstrip("*"))
    assert judging["run"].endswith(f"{fetched['path']}/*/{Path(kept['path']).name}")


def test_the_workflow_is_safe():
    zizmor = Path(sys.executable).with_name("zizmor")
    tool = (zizmor, "--offline", "--no-progress", "--persona", "auditor", "--strict-collection", HERE / "matrix.yml")
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
