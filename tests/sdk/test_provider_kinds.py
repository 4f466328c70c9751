"""Every kind of provider in the table, asked by the official SDKs of OpenAI and Anthropic; the simulator plays them all."""

import json
from pathlib import Path

import processes
import pytest
import servers
from matrix import anthropic_client, openai_clients
from matrix.cases import COLUMNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
# Clouds choose the dialect by the model's name.
MODEL = "claude-sim"
CASES = ["plain", "stream", "tools", "error", "max tokens"]


def kinds() -> list[str]:
    """The rows of the page, which a test of the gateway compares with the program; retired ones are of no use."""
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    usable = [row[1].strip().strip("`") for row in rows[1:] if " on 20" not in row[3]]
    # Its tokens come from Google's servers.
    usable.remove("vertex")
    return usable


@pytest.fixture(scope="module")
def gateway_of_kinds(tmp_path_factory):
    directory = tmp_path_factory.mktemp("kinds")
    secrets = processes.Secrets()
    simulator = servers.simulator(secrets.environment(), directory / "provider")
    credential = {"name": "main", "secret": {"value": "provider-secret-0123456789"}}
    document = {
        "apiVersion": "portcullis/v1",
        "providers": {
            kind: {"kind": kind, "base_url": f"http://127.0.0.1:{simulator.port}", "credentials": [credential]}
            for kind in kinds()
        },
        "routes": {kind: {"targets": [f"{kind}/{MODEL}"]} for kind in kinds()},
        "tenants": {"acme": {"keys": [{"name": "backend"}]}},
    }
    config = directory / "kinds.yaml"
    config.write_text(json.dumps(document))
    gateway = processes.standalone(
        secrets, directory / "gateway", "--config", str(config), "--allow-private-networks", "127.0.0.1"
    )
    key = (directory / "gateway" / "data" / "key-backend@acme.txt").read_text().strip()
    yield gateway.ready["data_plane"].rstrip("/"), key
    assert gateway.stop() == 0, gateway.log_end()
    assert simulator.stop() == 0, simulator.log_end()


@pytest.mark.parametrize("client", [openai_clients.Chat, anthropic_client.Messages], ids=lambda client: client.title)
@pytest.mark.parametrize("kind", kinds())
def test_kind(gateway_of_kinds, kind, client):
    # Hyperbolic is not asked for usage in streams, so that clients of another dialect are told none.
    told = kind != "hyperbolic" or client is openai_clients.Chat
    for case in CASES if told else ["plain", "error"]:
        COLUMNS[case](client(*gateway_of_kinds, kind))
