"""The gateway that every test runs against: once in one process, once as a proxy that joined a control plane."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import openai
import pytest

import processes
from matrix.gateway import matrix  # noqa: F401: a fixture of several tests
from simulator_alone import script, simulator  # noqa: F401: fixtures of the tests in simulator/

# Ours answer in milliseconds; the bound is there so that a hang fails instead of hanging the run.
TIMEOUT_SECONDS = 30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-compatibility", action="store_true", help="write docs/COMPATIBILITY.md anew")


@dataclass(frozen=True)
class Gateway:
    """Where the data plane is and a key that may use it."""

    url: str
    key: str

    def options(self, **changes) -> dict:
        """Arguments for an SDK client. The SDK's own retries are off: they would hide failures."""
        defaults = {
            "base_url": f"{self.url}/v1",
            "api_key": self.key,
            "max_retries": 0,
            "timeout": TIMEOUT_SECONDS,
        }
        return defaults | changes


@pytest.fixture(scope="session", params=["standalone", "proxy"])
def gateway(request, tmp_path_factory) -> Iterator[Gateway]:
    secrets = processes.Secrets()
    directory = tmp_path_factory.mktemp(request.param)
    with ExitStack() as running:

        def keep(service: processes.Service) -> processes.Service:
            running.callback(lambda: check_exit(service))
            return service

        everything = keep(processes.standalone(secrets, directory / "standalone"))
        url = everything.ready["data_plane"]
        if request.param == "proxy":
            joined = processes.proxy(secrets, everything.ready["grpc"], directory / "proxy")
            url = keep(joined).ready["data_plane"]
        yield Gateway(url=url.rstrip("/"), key=everything.ready["key"])


def check_exit(service: processes.Service) -> None:
    """SIGTERM drains and exits 0."""
    status = service.stop()
    assert status == 0, f"exit status {status}:\n{service.log_end()}"


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(**gateway.options()) as client:
        yield client
