"""The providers of the matrix: one for each dialect, all of them the simulator."""

import json
import urllib.request
from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """A provider behind a route of its own."""

    title: str
    route: str
    spec: dict
    # Its name chooses the rules that the simulator keeps.
    model: str
    # What the base URL ends in.
    version: str = ""


PROVIDERS = [
    Provider("OpenAI Chat", "to-chat", {"kind": "simulator"}, "gpt-sim", "/v1"),
    Provider(
        "OpenAI Responses", "to-responses", {"kind": "simulator", "dialect": "responses"}, "gpt-sim-responses", "/v1"
    ),
    Provider("Anthropic Messages", "to-messages", {"kind": "anthropic"}, "claude-sim"),
    Provider("Gemini", "to-gemini", {"kind": "gemini"}, "gemini-3-sim"),
    Provider("Cohere Chat v2", "to-cohere", {"kind": "cohere"}, "command-sim"),
    # Kind `bedrock` would be asked in their own words by Anthropic's clients; this one knows Converse alone.
    Provider("Bedrock Converse", "to-converse", {"kind": "custom", "dialect": "converse"}, "anthropic.claude-sim"),
]


def document(address: str) -> dict:
    """The gateway's configuration; `address` is the simulator's."""
    credential = {"name": "main", "secret": {"value": "provider-secret-0123456789"}}
    return {
        "apiVersion": "portcullis/v1",
        "providers": {
            provider.route: provider.spec | {"base_url": address + provider.version, "credentials": [credential]}
            for provider in PROVIDERS
        },
        "prices": [
            {
                "model": f"{provider.route}/{provider.model}",
                "effective_from": "2026-01-01",
                "input": "$1",
                "output": "$2",
            }
            for provider in PROVIDERS
        ],
        "routes": {
            provider.route: {"targets": [f"{provider.route}/{provider.model}"]} for provider in PROVIDERS
        },
        "tenants": {"acme": {"keys": [{"name": "backend"}]}},
    }


@dataclass(frozen=True)
class Recorder:
    """What reached the simulator."""

    address: str

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.address}/_sim/requests{path}", timeout=10) as reply:
            return reply.read()

    def forget(self) -> None:
        request = urllib.request.Request(f"{self.address}/_sim/requests", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def requests(self) -> list[dict]:
        return json.loads(self.get(""))["requests"]

    def bodies(self) -> list[dict]:
        return [json.loads(self.get(f"/{request['n']}/body")) for request in self.requests()]
