"""A real Prometheus on the committed configuration: it finds every process, and dashboards ask for what is there."""

import json
import re
import urllib.parse
import urllib.request

from deployment import HTTP_SECONDS, ROOT, Deployment, eventually

# What a scrape holds of a process: both proxies, control plane, ledger, balancer.
TARGETS = ["control-plane", "ledger", "load-balancer", "proxy", "proxy"]


def ask(deployment: Deployment, path: str, **parameters: str):
    url = f"{deployment.url('prometheus', 9090)}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as reply:
        return json.load(reply)["data"]


def up(deployment: Deployment) -> list[str]:
    result = ask(deployment, "query", query="up == 1")["result"]
    return sorted(series["metric"]["job"] for series in result)


def expressions() -> list[str]:
    """Of all panels, with Grafana's variables filled in."""
    board = json.loads((ROOT / "deploy/grafana/dashboards/portcullis.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return [each.replace("$__rate_interval", "1m").replace("$route", ".*").replace("$provider", ".*") for each in found]


def test_prometheus_finds_every_process_and_every_panel_has_its_metrics(deployment, figures):
    deployment.must("up", "-d", "--no-deps", "prometheus")
    deployment.wait_until_healthy("prometheus")
    assert eventually(lambda: up(deployment) == TARGETS), up(deployment)
    described = set(ask(deployment, "metadata"))
    rules = [rule for group in ask(deployment, "rules")["groups"] for rule in group["rules"]]
    assert rules
    asked = expressions() + [rule["query"] for rule in rules]
    names = {re.sub("_(bucket|total)$", "", name) for each in asked for name in re.findall(r"portcullis_\w+", each)}
    missing = {name for name in names if name not in described and f"{name}_total" not in described}
    assert missing == set(), "dashboards or alerts ask for metrics that nothing exports"
    for each in asked:
        ask(deployment, "query", query=each)
    figures["Prometheus"] = f"{len(TARGETS)} targets up; {len(asked)} queries of panels and alerts have their metrics"
