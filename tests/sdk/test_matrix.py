"""Six client SDKs before six provider dialects: every column of the matrix, and the table of what came out.

The table is printed and compared with docs/COMPATIBILITY.md, or written there with `--write-compatibility`.
"""

import pytest
from matrix import anthropic_client, bedrock_client, cohere_client, gemini_client, openai_clients, table, verbatim
from matrix.cases import COLUMNS
from matrix.known import CHECKS, Unknown
from matrix.providers import PROVIDERS

# In the order of the providers, so that equal places are equal dialects.
CLIENTS = [
    openai_clients.Chat,
    openai_clients.Responses,
    anthropic_client.Messages,
    gemini_client.Gemini,
    cohere_client.Cohere,
    bedrock_client.Converse,
]
# Every row of the table; the others than `CLIENTS` are clients of the same SDKs that do something in another way.
ROWS = [*CLIENTS, gemini_client.ByHand]
# What a pair cannot express, whoever stands between, with the reason: client's title, provider's route, column.
IMPOSSIBLE: dict[tuple[str, str, str], str] = {}

RESULTS: table.Results = {}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.title)
@pytest.mark.parametrize("client", ROWS, ids=lambda client: client.title)
def test_pair(matrix, client, provider, column):
    cell = (client.title, provider.route, column)
    if reason := IMPOSSIBLE.get(cell):
        RESULTS[cell] = reason
        pytest.skip(reason)
    RESULTS[cell] = table.FAILED
    matrix.recorder.forget()
    COLUMNS[column](matrix.client(client, provider.route))
    # What passes as it came is in the words of the client.
    if not provider.title.startswith(client.title.partition(",")[0]):
        arrived = matrix.recorder.bodies()
        assert arrived
        for body in arrived:
            CHECKS[provider.route](body)
    RESULTS[cell] = table.PASSED


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(("client", "provider"), list(zip(CLIENTS, PROVIDERS, strict=True)), ids=lambda one: one.title)
def test_on_the_diagonal_the_body_arrives_as_it_was_sent(matrix, client, provider, streamed):
    made, front = matrix.watched(client, provider.route)
    verbatim.check(made, streamed, front, matrix.recorder, provider)
    front.close()


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.title)
def test_a_field_that_the_sdk_does_not_know_would_be_seen(matrix, provider):
    matrix.recorder.forget()
    COLUMNS["tools"](matrix.client(CLIENTS[PROVIDERS.index(provider) - 1], provider.route))
    for body in matrix.recorder.bodies():
        turns = body.get("messages") or body.get("contents") or body["input"]
        for place in (body, turns[0], body.get("tools", [{}])[0] or body["toolConfig"]):
            place["unheard_of"] = 1
            with pytest.raises(Unknown):
                CHECKS[provider.route](body)
            del place["unheard_of"]
        CHECKS[provider.route](body)


def test_the_table(request, capsys):
    """What the tests above found; stands last for that."""
    if len(RESULTS) < len(ROWS) * len(PROVIDERS) * len(COLUMNS):
        pytest.skip("only a part of the matrix was run")
    with capsys.disabled():
        print("\n\n" + "\n".join(table.table(ROWS, RESULTS)))
    page = table.page(ROWS, RESULTS)
    if request.config.getoption("--write-compatibility"):
        table.FILE.write_text(page)
    assert table.FILE.exists() and table.FILE.read_text() == page, f"docs/COMPATIBILITY.md differs: `{table.WRITE}`"
