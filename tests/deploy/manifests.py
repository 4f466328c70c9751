"""What deploy/kubernetes holds, without a cluster and without kustomize."""

from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy" / "kubernetes"


def kustomization() -> dict:
    return yaml.safe_load((BASE / "kustomization.yaml").read_text())


def resources() -> list[dict]:
    """Every object of the base, in the order in which it is listed."""
    files = kustomization()["resources"]
    return [each for file in files for each in yaml.safe_load_all((BASE / file).read_text())]


def of_kind(*kinds: str) -> dict[tuple[str, str], dict]:
    return {(each["kind"], each["metadata"]["name"]): each for each in resources() if each["kind"] in kinds}


def workloads() -> dict[str, dict]:
    return {name: each for (_, name), each in of_kind("Deployment", "StatefulSet").items()}


def container(workload: dict) -> dict:
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    return only


def labels(workload: dict) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def selects(selector: dict[str, str]) -> list[str]:
    """Names of the workloads whose pods have these labels."""
    return [name for name, each in workloads().items() if selector.items() <= labels(each).items()]


def pod_selectors(value) -> Iterator[dict[str, str]]:
    """The labels in every pod selector below, those that look into other namespaces left out."""
    if isinstance(value, list):
        for each in value:
            yield from pod_selectors(each)
    elif isinstance(value, dict) and "namespaceSelector" not in value:
        for name, each in value.items():
            if name == "podSelector":
                yield each.get("matchLabels", {})
            else:
                yield from pod_selectors(each)


def environment(workload: dict) -> dict[str, dict]:
    return {each["name"]: each for each in container(workload)["env"]}
