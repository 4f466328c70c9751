"""Cohere's Python SDK against the simulator."""

import base64
import json

import cohere
import pytest
from cohere.core.api_error import ApiError
from simulator_samples import CALLS, IMAGE, KEY, PERSON, SOMEBODY, WEATHER, seen

TOOL = {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": WEATHER}}


@pytest.fixture
def client(simulator):
    return cohere.ClientV2(api_key=KEY, base_url=simulator.url, timeout=20)


def ask(content, **more) -> dict:
    return {"model": "m", "messages": [{"role": "user", "content": content}]} | more


def test_plain_and_streamed(client):
    reply = client.chat(**ask("hello there"))
    assert (reply.message.content[0].text, reply.finish_reason) == ("echo: hello there", "COMPLETE")
    events = list(client.chat_stream(**ask("hello there")))
    text = "".join(event.delta.message.content.text for event in events if event.type == "content-delta")
    assert (text, events[-1].delta.usage) == ("echo: hello there", reply.usage)


def test_parallel_tools_and_their_results(client):
    first = client.chat(**ask(CALLS, tools=[TOOL])).message
    assert [json.loads(call.function.arguments)["city"] for call in first.tool_calls] == ["Rome", "Oslo"]
    events = list(client.chat_stream(**ask(CALLS, tools=[TOOL])))
    deltas = [event for event in events if event.type == "tool-call-delta"]
    pieces = [delta.delta.message.tool_calls.function.arguments for delta in deltas if delta.index == 1]
    assert json.loads("".join(pieces)) == {"city": "Oslo"}
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in first.tool_calls]
    messages = [*ask(CALLS)["messages"], first, *results]
    reply = client.chat(model="m", messages=messages, tools=[TOOL])
    assert reply.message.content[0].text == "results: sun | sun"


def test_image_and_structured_output(client):
    url = f"data:image/png;base64,{base64.b64encode(IMAGE).decode()}"
    content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert seen("image", "image/png", IMAGE) in client.chat(**ask(content)).message.content[0].text
    reply = client.chat(**ask("who?", response_format={"type": "json_object", "json_schema": PERSON}))
    assert json.loads(reply.message.content[0].text) == SOMEBODY


def test_reasoning(client):
    thinking = {"type": "enabled", "token_budget": 100}
    thought, answer = client.chat(**ask("why?", thinking=thinking)).message.content
    assert (thought.thinking, answer.text) == ("I think about: why?", "echo: why?")
    events = list(client.chat_stream(**ask("why?", thinking=thinking)))
    pieces = [event.delta.message.content for event in events if event.type == "content-delta"]
    assert "".join(piece.thinking or "" for piece in pieces) == "I think about: why?"


def test_limits_and_errors(client):
    cut = client.chat(**ask("a long enough text", max_tokens=3))
    assert (cut.message.content[0].text, cut.finish_reason) == ("echo: a long", "MAX_TOKENS")
    once = {"max_retries": 0}
    with pytest.raises(cohere.TooManyRequestsError):
        client.chat(**ask("error:429"), request_options=once)
    with pytest.raises(ApiError) as busy:
        client.chat(**ask("error:503"), request_options=once)
    assert busy.value.status_code == 503
    with pytest.raises(cohere.BadRequestError):
        client.chat(**ask("hi"), request_options={"additional_body_parameters": {"top_k": 3}})


def test_search(client):
    reply = client.embed(
        model="m", input_type="search_query", texts=["a", "b"], embedding_types=["float"], output_dimension=8
    )
    assert [len(vector) for vector in reply.embeddings.float_] == [8, 8]
    ranked = client.rerank(model="m", query="red fox", documents=["blue", "a red fox"], top_n=1)
    assert (ranked.results[0].index, ranked.results[0].relevance_score) == (1, 1.0)
