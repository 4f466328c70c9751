"""Anthropic's Python SDK against the simulator."""

import base64
import json

import anthropic
import pytest
from simulator_samples import CALLS, IMAGE, KEY, PERSON, SOMEBODY, WEATHER, seen

TOOL = {"name": "weather", "input_schema": WEATHER}
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
def client(simulator):
    with anthropic.Anthropic(base_url=simulator.url, api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


def ask(content, **more) -> dict:
    return {"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": content}]} | more


def test_plain_and_streamed(client):
    reply = client.messages.create(**ask("hello there", system="be brief"))
    assert (reply.content[0].text, reply.stop_reason) == ("echo: hello there", "end_turn")
    with client.messages.stream(**ask("hello there", system="be brief")) as stream:
        assert "".join(stream.text_stream) == "echo: hello there"
        assert stream.get_final_message().usage.output_tokens == reply.usage.output_tokens
    counted = client.messages.count_tokens(
        model="m", messages=ask("hello there")["messages"], system="be brief"
    )
    assert counted.input_tokens == reply.usage.input_tokens


def test_parallel_tools_with_reasoning_and_their_results(client):
    options = ask(CALLS, tools=[TOOL], thinking=THINKING)
    with client.messages.stream(**options) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use"
    assert [block.type for block in first.content] == ["thinking", "tool_use", "tool_use"]
    assert [block.input["city"] for block in first.content[1:]] == ["Rome", "Oslo"]
    assert [block.input for block in client.messages.create(**options).content[1:]] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "sun"} for block in first.content[1:]
    ]
    turn = [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    reply = client.messages.create(**options | {"messages": [*options["messages"], *turn]})
    assert (reply.content[0].thinking, reply.content[1].text) == (
        "I think about: the results",
        "results: sun | sun",
    )
    turn[0]["content"] = first.content[1:]
    with pytest.raises(anthropic.BadRequestError, match="Expected `thinking`"):
        client.messages.create(**options | {"messages": [*options["messages"], *turn]})


def test_one_tool_only(client):
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert len(client.messages.create(**ask(CALLS, tools=[TOOL], tool_choice=choice)).content) == 1
    forced = client.messages.create(**ask("hi", tools=[TOOL], tool_choice={"type": "any"}))
    assert forced.content[0].input == {"city": "text"}


def test_images_and_documents(client):
    def source(mime):
        return {"type": "base64", "media_type": mime, "data": base64.b64encode(IMAGE).decode()}

    content = [
        {"type": "image", "source": source("image/png")},
        {"type": "document", "source": source("application/pdf")},
        {"type": "text", "text": "what?"},
    ]
    text = client.messages.create(**ask(content)).content[0].text
    assert seen("image", "image/png", IMAGE) in text and seen("document", "application/pdf", IMAGE) in text


def test_structured_output(client):
    config = {"format": {"type": "json_schema", "schema": PERSON}}
    assert json.loads(client.messages.create(**ask("who?", output_config=config)).content[0].text) == SOMEBODY


def test_limits_stops_and_refusals(client):
    cut = client.messages.create(**ask("a long enough text") | {"max_tokens": 3})
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 3)
    stopped = client.messages.create(**ask("one two", stop_sequences=["two"]))
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "two")
    refused = client.messages.create(**ask("refuse: no"))
    assert (refused.stop_reason, refused.stop_details.type) == ("refusal", "refusal")


def test_caches(client):
    block = {"type": "text", "text": "a prompt of this test " * 9, "cache_control": {"type": "ephemeral"}}
    first, second = (client.messages.create(**ask("hi", system=[block])).usage for _ in range(2))
    assert first.cache_creation.ephemeral_5m_input_tokens == second.cache_read_input_tokens > 0


def test_errors(client, script):
    with pytest.raises(anthropic.RateLimitError) as limited:
        client.messages.create(**ask("error:429 retry-after:7"))
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.APIStatusError) as busy:
        client.messages.create(**ask("error:529"))
    assert (busy.value.status_code, busy.value.body["error"]["type"]) == (529, "overloaded_error")
    # The SDK sends the newest version of the API, which takes no sampling parameters.
    with pytest.raises(anthropic.BadRequestError, match="temperature: Extra inputs"):
        client.messages.create(**ask("hi"), extra_body={"temperature": 1})
    script("torn", {"error_event_after": 2, "error_message": "boom"})
    with (
        pytest.raises(anthropic.APIError, match="boom"),
        client.messages.stream(**ask("hi") | {"model": "torn"}) as stream,
    ):
        stream.get_final_message()


@pytest.mark.parametrize(
    "odd",
    [{"line_end": "crlf"}, {"split_bytes": 1}, {"pings": 1}, {"packet_events": 9}, {"gzip": True}],
    ids=json.dumps,
)
def test_odd_streams_that_the_sdk_reads(client, script, odd):
    script("odd", odd)
    with client.messages.stream(**ask("one two") | {"model": "odd"}) as stream:
        assert "".join(stream.text_stream) == "echo: one two"
