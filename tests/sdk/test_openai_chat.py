"""Chat completions with the official OpenAI SDK."""

import json
from decimal import Decimal

from echo import UNICODE, answer, tokens, user


def content(chunks) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_plain_answer_with_usage(client):
    reply = client.chat.completions.create(model="chat", messages=user("hello there"))
    assert reply.choices[0].message.content == answer("hello there")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens == tokens("hello there")
    assert reply.usage.completion_tokens == tokens(answer("hello there"))


def test_conversation_and_content_parts(client):
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": "second "}, {"type": "text", "text": "half"}]},
    ]
    reply = client.chat.completions.create(model="chat", messages=messages, temperature=0.1, seed=7)
    assert reply.choices[0].message.content == answer("second half")


def test_output_limit(client):
    reply = client.chat.completions.create(model="chat", messages=user("a long enough text"), max_tokens=3)
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 3


def test_stream_with_usage(client):
    with client.chat.completions.create(
        model="chat", messages=user("one two three"), stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    assert content(chunks) == answer("one two three")
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == tokens(answer("one two three"))
    assert all(chunk.usage is None for chunk in chunks[:-1])
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons == ["stop"]


def test_stream_without_usage_shows_none(client):
    """The gateway asks the provider for usage anyway; a client that did not ask must not see it."""
    with client.chat.completions.create(model="chat", messages=user("one two three"), stream=True) as stream:
        chunks = list(stream)
    assert content(chunks) == answer("one two three")
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_unicode_survives_both_ways(client):
    reply = client.chat.completions.create(model="chat", messages=user(UNICODE))
    assert reply.choices[0].message.content == answer(UNICODE)
    with client.chat.completions.create(model="chat", messages=user(UNICODE), stream=True) as stream:
        assert content(stream) == answer(UNICODE)


def test_large_messages_pass(client):
    text = "word " * 40_000
    reply = client.chat.completions.create(model="chat", messages=user(text))
    assert reply.choices[0].message.content == answer(text)


def test_closing_a_stream_early_leaves_the_client_usable(client):
    long = "word " * 20_000
    for _ in range(3):
        stream = client.chat.completions.create(model="chat", messages=user(long), stream=True)
        assert next(iter(stream)).id
        stream.close()
    reply = client.chat.completions.create(model="chat", messages=user("still here"))
    assert reply.choices[0].message.content == answer("still here")


def test_response_headers_of_a_plain_answer(client):
    raws = [
        client.chat.completions.with_raw_response.create(model="chat", messages=user("headers")) for _ in range(2)
    ]
    usage = raws[0].parse().usage
    headers = {
        name.removeprefix("x-portcullis-"): value
        for name, value in raws[0].headers.items()
        if name.startswith("x-portcullis-")
    }
    assert headers["route"] == "chat"
    assert headers["provider"] == "demo"
    assert headers["model"] in ("echo-large", "echo-small")
    assert headers["attempts"] == "1"
    assert headers["fallback"] == "none"
    assert headers["cache"] in ("none", "off")
    assert int(headers["overhead-us"]) >= 0
    assert int(headers["tokens-in"]) == usage.prompt_tokens
    assert int(headers["tokens-out"]) == usage.completion_tokens
    assert int(headers["tokens-cached"]) == 0
    assert Decimal(headers["cost-usd"]) >= 0
    assert int(raws[0].headers["content-length"]) == len(raws[0].content)
    assert headers["request-id"] != raws[1].headers["x-portcullis-request-id"]


def test_response_headers_and_comment_of_a_stream(client):
    with client.chat.completions.with_streaming_response.create(
        model="chat", messages=user("comment"), stream=True
    ) as raw:
        headers = dict(raw.headers)
        lines = [line for line in raw.iter_lines() if line]
    assert headers["content-type"].startswith("text/event-stream")
    for name in ("request-id", "route", "provider", "model", "attempts", "fallback", "cache", "overhead-us"):
        assert headers[f"x-portcullis-{name}"], name
    assert "x-portcullis-cost-usd" not in headers
    comment, last = lines[-2:]
    assert last == "data: [DONE]"
    assert comment.startswith(": portcullis ")
    assert isinstance(json.loads(comment.removeprefix(": portcullis ")), dict)
    assert sum(line.startswith(":") for line in lines) == 1


def test_helper_that_accumulates_a_stream(client):
    with client.chat.completions.stream(model="chat", messages=user("accumulate this")) as stream:
        stream.until_done()
        final = stream.get_final_completion()
    assert final.choices[0].message.content == answer("accumulate this")
