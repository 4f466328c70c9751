"""docker-compose.yml, .env.example and the Dockerfile: settings that exist, each explained, and times that fit."""

import re

import pytest
import yaml

import binaries
from manifests import ROOT

SERVICES = {
    "proxy-1": ("portcullis-proxy",),
    "proxy-2": ("portcullis-proxy",),
    "control-plane": ("portcullis-control-plane",),
    "ledger": ("portcullis-ledger",),
    "simulator": ("portcullis", "simulator"),
    "cli": ("portcullis", "apply"),
    "mark-restored": ("portcullis", "migrate"),
}
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
ENTRY = re.compile(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$")


def example() -> dict[str, tuple[str, str]]:
    """Each variable of .env.example with its value and the line above it."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = {}
    for above, line in zip(lines, lines[1:]):
        if entry := ENTRY.match(line):
            found[entry[2]] = (entry[3], above)
    return found


def taken_from_outside() -> dict[str, str | None]:
    """Every variable that the compose file reads, with the default it has there."""
    defaults = {name: value for name, value in re.findall(r"\$\{([A-Z0-9_]+):?-([^}]*)\}", TEXT)}
    required = {name: None for name in re.findall(r"\$\{([A-Z0-9_]+):\?", TEXT)}
    handed_down = {
        name: None
        for service in COMPOSE["services"].values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    return handed_down | required | defaults


def test_every_variable_is_explained_by_a_sentence():
    assert set(example()) == set(taken_from_outside()) | {"COMPOSE_PROFILES"}
    for name, (_, above) in example().items():
        assert re.match(r"# [A-Z].*\.$", above), f"{name}: {above}"


def test_the_example_shows_the_defaults():
    for name, default in taken_from_outside().items():
        if default is not None:
            assert example()[name][0] == default, name


def test_secrets_have_no_default():
    secrets = {name for name, (value, _) in example().items() if not value and name in required_names()}
    assert secrets == required_names()


def required_names() -> set[str]:
    named = dict(re.findall(r"\$\{([A-Z0-9_]+):\?([A-Z0-9_]+) must be set in \.env\}", TEXT))
    assert all(name == said for name, said in named.items())
    assert len(named) == len(set(re.findall(r"\$\{([A-Z0-9_]+):\?", TEXT))), "a message that names no variable"
    return set(named)


@pytest.mark.parametrize("service", SERVICES)
def test_settings_are_known_to_the_binary(service):
    used = {name for name in COMPOSE["services"][service]["environment"] if name.startswith("PORTCULLIS_")}
    assert used <= binaries.variables(*SERVICES[service])


def test_the_collector_takes_what_proxies_can_be_asked_to_send():
    collector = yaml.safe_load((ROOT / "deploy" / "otel" / "collector.yaml").read_text())
    sent = {"traces"} | ({"metrics"} if "PORTCULLIS_OTLP_METRICS" in taken_from_outside() else set())
    assert set(collector["service"]["pipelines"]) == sent == {"traces", "metrics"}
    for pipeline in collector["service"]["pipelines"].values():
        assert all(set(pipeline[part]) <= set(collector[part]) for part in ("receivers", "processors", "exporters"))


# What each stage of the Dockerfile runs; what they have in common, the proxy has to know.
STAGES = {
    "service": ("portcullis-proxy",),
    "proxy": ("portcullis-proxy",),
    "control-plane": ("portcullis-control-plane",),
    "ledger": ("portcullis-ledger",),
    "portcullis": ("portcullis", "standalone"),
}


def test_settings_of_the_images_are_known_to_the_binaries():
    stage = None
    for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines():
        if found := re.match(r"FROM \S+ AS (\S+)", line):
            stage = found[1]
        for name in re.findall(r"(PORTCULLIS_\w+)=", line):
            assert name in binaries.variables(*STAGES[stage]), (stage, name)


@pytest.mark.parametrize("service", SERVICES)
def test_ours_run_without_rights(service):
    each = COMPOSE["services"][service]
    assert each["read_only"] and each["cap_drop"] == ["ALL"] and each["security_opt"] == ["no-new-privileges:true"]


def test_a_stopping_proxy_is_given_the_time_it_needs():
    defaults = taken_from_outside()
    needed = int(defaults["PORTCULLIS_LAME_DUCK_SECONDS"]) + int(defaults["PORTCULLIS_DRAIN_SECONDS"]) + 6
    assert int(defaults["PROXY_STOP_GRACE"].removesuffix("s")) > needed


def test_the_balancer_notices_before_a_lame_duck_is_gone():
    text = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text()
    milliseconds = {"ms": 1, "s": 1000}
    check = re.search(r"inter (\d+)(ms|s) fastinter (\d+)(ms|s) fall (\d+)", text)
    between, fast = (int(check[n]) * milliseconds[check[n + 1]] for n in (1, 3))
    wait = re.search(r"timeout check (\d+)(ms|s)", text)
    noticed = between + (int(check[5]) - 1) * fast + int(wait[1]) * milliseconds[wait[2]]
    assert noticed < 1000 * int(taken_from_outside()["PORTCULLIS_LAME_DUCK_SECONDS"])
