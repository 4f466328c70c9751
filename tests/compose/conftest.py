"""The system under test, brought up once; and what is printed at the end."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment import BUILD_SECONDS, OURS, Deployment, image_sizes

FIGURES = pytest.StashKey[dict[str, str]]()

DOCUMENT = {
    "apiVersion": "portcullis/v1",
    "providers": {
        "sim": {
            "kind": "simulator",
            "base_url": "http://simulator:9090/v1",
            "credentials": [{"name": "main", "secret": {"value": "provider-secret-0123456789"}}],
        }
    },
    "prices": [
        {"model": "sim/fast", "effective_from": "2026-01-01", "input": "$1", "output": "$2"},
        {"model": "sim/slow", "effective_from": "2026-01-01", "input": "$3", "output": "$7"},
    ],
    "routes": {"chat": {"targets": ["sim/fast"]}, "slow": {"targets": ["sim/slow"]}},
}


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> dict[str, str]:
    """What the tests measured, by name."""
    return pytestconfig.stash.setdefault(FIGURES, {})


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, figures: dict[str, str]) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("compose"))
    deployment.compose("down", "-v", "--remove-orphans")
    began = time.monotonic()
    deployment.must("build", *OURS, seconds=BUILD_SECONDS)
    figures["images built in"] = f"{time.monotonic() - began:.0f} s"
    for name, size in image_sizes().items():
        figures[f"image {name}"] = size
    try:
        began = time.monotonic()
        deployment.must("up", "-d")
        deployment.wait_until_healthy("load-balancer")
        figures["compose up, until all are healthy"] = f"{time.monotonic() - began:.0f} s"
        yield deployment
    finally:
        Path("target/compose/services.log").write_text(deployment.compose("logs", "--no-color").stdout)
        deployment.compose("down", "-v", "--remove-orphans")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, {})
    if figures:
        terminalreporter.section("make compose-test")
        width = max(map(len, figures))
        for name, value in figures.items():
            terminalreporter.write_line(f"{name:<{width}}  {value}")
