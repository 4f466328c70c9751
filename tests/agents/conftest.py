"""A gateway before the simulator as six providers, for coding agents that run beside it without a network."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sdk"))

import processes  # noqa: E402
import servers  # noqa: E402
from agents import Gateway  # noqa: E402
from matrix.providers import Recorder, document  # noqa: E402


@pytest.fixture(scope="session")
def gateway(tmp_path_factory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("agents")
    secrets = processes.Secrets()
    simulator = servers.simulator(secrets.environment(), directory / "provider")
    address = f"http://127.0.0.1:{simulator.port}"
    config = directory / "agents.yaml"
    config.write_text(json.dumps(document(address)))
    service = processes.standalone(
        secrets, directory / "gateway", "--config", str(config), "--allow-private-networks", "127.0.0.1"
    )
    key = (directory / "gateway" / "data" / "key-backend@acme.txt").read_text().strip()
    yield Gateway(service.ready["data_plane"].rstrip("/"), key, Recorder(address), service.log)
    assert service.stop() == 0, service.log_end()
    assert simulator.stop() == 0, simulator.log_end()
