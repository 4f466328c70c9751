"""The gateway that the matrix and the npm packages share, with the simulator as its providers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import processes
import pytest
import servers

from .bedrock_client import Converse
from .front import Front, certificate
from .providers import Recorder, document


@dataclass(frozen=True)
class Matrix:
    """A gateway, a key for it, and what reached the simulator that is its every provider."""

    url: str
    key: str
    recorder: Recorder
    front: Front
    certificate: str

    def client(self, kind: type, route: str):
        if kind is Converse:
            return kind(self.front.url, self.key, route, self.certificate)
        return kind(self.url, self.key, route)

    def watched(self, kind: type, route: str):
        """A client, and the listener that it talks through."""
        tls = kind is Converse
        front = Front(urlsplit(self.url).port, self.certificate if tls else None)
        return kind(front.url, self.key, route, *([self.certificate] if tls else [])), front


@pytest.fixture(scope="session")
def matrix(tmp_path_factory) -> Iterator[Matrix]:
    directory = tmp_path_factory.mktemp("matrix")
    secrets = processes.Secrets()
    simulator = servers.simulator(secrets.environment(), directory / "provider")
    address = f"http://127.0.0.1:{simulator.port}"
    config = directory / "matrix.yaml"
    config.write_text(json.dumps(document(address)))
    gateway = processes.standalone(
        secrets, directory / "gateway", "--config", str(config), "--allow-private-networks", "127.0.0.1"
    )
    key = (directory / "gateway" / "data" / "key-backend@acme.txt").read_text().strip()
    url = gateway.ready["data_plane"].rstrip("/")
    pem = str(certificate(directory))
    front = Front(urlsplit(url).port, pem)
    yield Matrix(url, key, Recorder(address), front, pem)
    front.close()
    assert gateway.stop() == 0, gateway.log_end()
    assert simulator.stop() == 0, simulator.log_end()
