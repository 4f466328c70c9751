"""Google's Python SDK against the simulator."""

import json

import pytest
from google import genai
from google.genai import errors, types
from simulator_samples import CALLS, IMAGE, KEY, PERSON, SOMEBODY, WEATHER, seen

MODEL = "gemini-3-pro"


@pytest.fixture
def client(simulator):
    options = types.HttpOptions(base_url=simulator.url, timeout=20_000)
    with genai.Client(api_key=KEY, http_options=options) as client:
        yield client


def config(**options) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(**options)


def tools() -> list[types.Tool]:
    return [
        types.Tool(
            function_declarations=[types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)]
        )
    ]


def ask(client, contents, **options):
    return client.models.generate_content(model=MODEL, contents=contents, config=config(**options))


def test_plain_and_streamed(client):
    reply = ask(client, "hello there", system_instruction="be brief")
    assert (reply.text, reply.candidates[0].finish_reason) == ("echo: hello there", types.FinishReason.STOP)
    chunks = list(
        client.models.generate_content_stream(
            model=MODEL, contents="hello there", config=config(system_instruction="be brief")
        )
    )
    assert "".join(chunk.text or "" for chunk in chunks) == "echo: hello there"
    assert chunks[-1].usage_metadata == reply.usage_metadata
    assert client.models.count_tokens(model=MODEL, contents="hello there").total_tokens == 3


def test_parallel_tools_and_their_results(client):
    first = ask(client, CALLS, tools=tools())
    assert [call.args["city"] for call in first.function_calls] == ["Rome", "Oslo"]
    streamed = client.models.generate_content_stream(model=MODEL, contents=CALLS, config=config(tools=tools()))
    assert [call.name for chunk in streamed for call in chunk.function_calls or []] == ["weather", "weather"]
    results = [
        types.Part.from_function_response(name=call.name, response={"output": "sun"})
        for call in first.function_calls
    ]
    history = [types.UserContent(CALLS), first.candidates[0].content, types.UserContent(results)]
    assert ask(client, history, tools=tools()).text == "results: sun | sun"
    history[1].parts[0].thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature"):
        ask(client, history, tools=tools())


def test_image(client):
    part = types.Part.from_bytes(data=IMAGE, mime_type="image/png")
    assert seen("image", "image/png", IMAGE) in ask(client, ["what?", part]).text


def test_structured_output(client):
    reply = ask(client, "who?", response_mime_type="application/json", response_json_schema=PERSON)
    assert json.loads(reply.text) == SOMEBODY


def test_reasoning(client):
    reply = ask(client, "why?", thinking_config=types.ThinkingConfig(include_thoughts=True))
    thought, answer = reply.candidates[0].content.parts
    assert (thought.thought, thought.text, answer.text) == (True, "I think about: why?", "echo: why?")
    assert answer.thought_signature and reply.usage_metadata.thoughts_token_count > 0


def test_limits_and_refusals(client):
    cut = ask(client, "a long enough text", max_output_tokens=3)
    assert (cut.text, cut.candidates[0].finish_reason) == ("echo: a long", types.FinishReason.MAX_TOKENS)
    assert ask(client, "refuse: no").candidates[0].finish_reason == types.FinishReason.SAFETY
    assert ask(client, "filter:").prompt_feedback.block_reason == types.BlockedReason.SAFETY


def test_errors(client, simulator):
    with pytest.raises(errors.ClientError) as limited:
        ask(client, "error:429 retry-after:7")
    assert (limited.value.code, limited.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(errors.ServerError) as busy:
        ask(client, "error:503")
    assert busy.value.status == "UNAVAILABLE"
    stranger = genai.Client(api_key="wrong", http_options=types.HttpOptions(base_url=simulator.url))
    with pytest.raises(errors.ClientError, match="API key not valid"):
        ask(stranger, "hi")


def test_embeddings(client):
    options = types.EmbedContentConfig(output_dimensionality=8)
    reply = client.models.embed_content(model="embed", contents=["a", "b"], config=options)
    assert [len(embedding.values) for embedding in reply.embeddings] == [8, 8]
