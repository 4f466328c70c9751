"""The table of what came out, as docs/COMPATIBILITY.md has it."""

import importlib.metadata
from pathlib import Path

from .cases import COLUMNS
from .providers import PROVIDERS

FILE = Path(__file__).resolve().parents[3] / "docs" / "COMPATIBILITY.md"
WRITE = "make compatibility"
PACKAGES = ["openai", "anthropic", "google-genai", "cohere", "boto3"]

PASSED, FAILED = "✓", "✗"
# What became of a cell: `PASSED`, `FAILED`, or the reason why it cannot be.
Results = dict[tuple[str, str, str], str]


def table(clients: list[type], results: Results) -> list[str]:
    """Clients down, providers across; a cell says how many columns passed and which did not."""
    titles = [provider.title for provider in PROVIDERS]
    lines = ["| client ↓ provider → | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for client in clients:
        cells = []
        for provider in PROVIDERS:
            found = {column: results.get((client.title, provider.route, column)) for column in COLUMNS}
            passed = sum(result == PASSED for result in found.values())
            missing = [column for column, result in found.items() if result not in (PASSED, None)]
            cells.append(f"{passed}/{len(COLUMNS)}" + (f", not {', '.join(missing)}" if missing else ""))
        lines.append(f"| {client.title} | " + " | ".join(cells) + " |")
    return lines


def columns(clients: list[type], results: Results) -> list[str]:
    """How many pairs passed in each column."""
    pairs = [(client.title, provider.route) for client in clients for provider in PROVIDERS]
    lines = ["| | pairs |", "|---|---|"]
    for column, case in COLUMNS.items():
        passed = sum(results.get((*pair, column)) == PASSED for pair in pairs)
        lines.append(f"| {column}: {case.__doc__} | {passed}/{len(pairs)} |")
    return lines


def impossible(results: Results) -> list[str]:
    """Every cell that no gateway could pass, with the reason."""
    titles = {provider.route: provider.title for provider in PROVIDERS}
    reasons = {cell: result for cell, result in results.items() if result not in (PASSED, FAILED)}
    lines = [
        f"- {client}, {titles[route]}, {column}: {reason}" for (client, route, column), reason in reasons.items()
    ]
    return lines or ["There is none."]


def page(clients: list[type], results: Results) -> str:
    """The whole file."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return "\n".join(
        [
            "# Compatibility",
            "",
            "Written by `tests/sdk/test_matrix.py`, never by hand: `" + WRITE + "` writes it anew, `make sdk-test`",
            "fails when it differs from what the test found.",
            "",
            "Each official SDK as a client of the gateway, before a provider of each dialect, which the",
            "[simulator](simulator.md) plays with the rules of the real one. Every body that the gateway wrote for",
            "another dialect was checked against the types of the provider's own SDK; on the diagonal the body arrives",
            "as the client sent it, the model's name apart (SHA-256 compared, plain and streamed).",
            "",
            f"Python: {versions}. `tests/sdk/js` does the same in short with the npm packages of OpenAI and Anthropic.",
            "",
            *table(clients, results),
            "",
            "[Coding agents](agents.md) are driven before the same providers by `make agents-test`.",
            "",
            "## Columns",
            "",
            *columns(clients, results),
            "",
            "## Cells that cannot be",
            "",
            *impossible(results),
            "",
        ]
    )
