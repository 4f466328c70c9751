"""A gateway before the simulator as six providers, one for each dialect, for clients that are driven as a whole."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import processes
import pytest
import servers
from matrix.providers import Recorder, document


@dataclass(frozen=True)
class Gateway:
    """Where the gateway is, a key for it, and what reached the simulator behind it."""

    url: str
    key: str
    recorder: Recorder
    log: Path

    def script(self, model: str, steps: list[dict]) -> None:
        """What the simulator answers as this model, one step for each request."""
        request = urllib.request.Request(
            f"{self.recorder.address}/_sim/script/{model}", data=json.dumps(steps).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("six")
    secrets = processes.Secrets()
    simulator = servers.simulator(secrets.environment(), directory / "provider")
    address = f"http://127.0.0.1:{simulator.port}"
    config = directory / "six.yaml"
    config.write_text(json.dumps(document(address)))
    service = processes.standalone(
        secrets, directory / "gateway", "--config", str(config), "--allow-private-networks", "127.0.0.1"
    )
    key = (directory / "gateway" / "data" / "key-backend@acme.txt").read_text().strip()
    yield Gateway(service.ready["data_plane"].rstrip("/"), key, Recorder(address), service.log)
    assert service.stop() == 0, service.log_end()
    assert simulator.stop() == 0, simulator.log_end()
