"""Prometheus's own tool on the scrape configuration, the alerts, and every query of the dashboards."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from manifests import ROOT

DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scrape_configuration_and_its_alerts_are_valid():
    promtool("check", "config", str(ROOT / "deploy" / "prometheus" / "prometheus.yml"))


def test_alerts_fire_when_they_should(tmp_path: Path):
    """What `alerts.yml` plays and expects; promtool finds the rules beside it."""
    for file in (ROOT / "deploy" / "prometheus" / "rules.yml", Path(__file__).with_name("alerts.yml")):
        (tmp_path / file.name).write_text(file.read_text())
    promtool("test", "rules", str(tmp_path / "alerts.yml"))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_query_of_a_dashboard_is_valid(path: Path, tmp_path: Path):
    board = json.loads(path.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert asked
    filled = [each.replace("$__rate_interval", "1m") for each in asked]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(filled)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_use_the_source_that_is_provisioned(path: Path):
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yaml").read_text())
    (provisioned,) = source["datasources"]
    board = json.loads(path.read_text())
    used = {panel["datasource"]["uid"] for panel in board["panels"] if "datasource" in panel}
    assert used == {provisioned["uid"]}
