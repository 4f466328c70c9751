"""The simulator alone, without a gateway: the official SDKs prove that it speaks their dialects."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import processes
import pytest
import servers
from simulator_samples import KEY


@dataclass(frozen=True)
class Simulator:
    url: str

    def admin(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.read()

    def requests(self, model: str) -> list[dict]:
        return json.loads(self.admin("GET", f"requests?model={model}"))["requests"]


@pytest.fixture(scope="session")
def simulator(tmp_path_factory) -> Iterator[Simulator]:
    environment = processes.Secrets().environment(PORTCULLIS_SIMULATOR_KEY=KEY)
    server = servers.simulator(environment, tmp_path_factory.mktemp("simulator"))
    yield Simulator(f"http://127.0.0.1:{server.port}")
    status = server.stop()
    assert status == 0, f"exit status {status}:\n{server.log_end()}"


@pytest.fixture
def script(simulator) -> Iterator[Callable[[str, object], None]]:
    """Puts a script for a model; all are gone after the test."""
    yield lambda model, steps: simulator.admin("PUT", f"script/{model}", steps)
    simulator.admin("DELETE", "script")
