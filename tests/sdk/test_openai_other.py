"""Embeddings, models and the asynchronous client of the official OpenAI SDK."""

import asyncio
import math

import openai

from echo import UNICODE, answer, tokens, user

DIMENSIONS = 64  # what the simulator answers with when none are asked for


def test_embeddings_of_several_inputs(client):
    inputs = ["first", "second", UNICODE]
    reply = client.embeddings.create(model="embed", input=inputs)
    assert [item.index for item in reply.data] == [0, 1, 2]
    assert all(len(item.embedding) == DIMENSIONS for item in reply.data)
    assert all(math.isclose(math.hypot(*item.embedding), 1, rel_tol=1e-4) for item in reply.data)
    assert len({tuple(item.embedding) for item in reply.data}) == 3
    assert reply.usage.prompt_tokens == sum(tokens(text) for text in inputs)


def test_embeddings_are_the_same_in_both_encodings(client):
    """The SDK asks for base64 by itself and decodes it; asked for floats it takes them as they come."""
    by_default = client.embeddings.create(model="embed", input="same")
    floats = client.embeddings.create(model="embed", input="same", encoding_format="float")
    pairs = zip(by_default.data[0].embedding, floats.data[0].embedding, strict=True)
    assert all(math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-7) for a, b in pairs)


def test_embedding_dimensions_are_passed_on(client):
    reply = client.embeddings.create(model="embed", input="short", dimensions=8)
    assert len(reply.data[0].embedding) == 8


def test_models_are_the_routes(client):
    models = {model.id: model for model in client.models.list()}
    assert {"chat", "embed"} <= models.keys()
    assert all(model.object == "model" for model in models.values())


def test_async_client_plain_and_streamed(gateway):
    async def both() -> tuple[str, str]:
        async with openai.AsyncOpenAI(**gateway.options()) as client:
            plain = await client.chat.completions.create(model="chat", messages=user("plain"))
            stream = await client.chat.completions.create(model="chat", messages=user("by pieces"), stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return plain.choices[0].message.content, "".join(pieces)

    assert asyncio.run(both()) == (answer("plain"), answer("by pieces"))


def test_concurrent_requests_get_their_own_answers(gateway):
    async def one(client: openai.AsyncOpenAI, text: str) -> str:
        if len(text) % 2:
            reply = await client.chat.completions.create(model="chat", messages=user(text))
            return reply.choices[0].message.content
        stream = await client.chat.completions.create(model="chat", messages=user(text), stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def many(texts: list[str]) -> list[str]:
        async with openai.AsyncOpenAI(**gateway.options()) as client:
            return await asyncio.gather(*(one(client, text) for text in texts))

    texts = ["x" * n + f" {n}" for n in range(1, 61)]
    assert asyncio.run(many(texts)) == [answer(text) for text in texts]


def test_async_streams_closed_early(gateway):
    async def abandon() -> str:
        async with openai.AsyncOpenAI(**gateway.options()) as client:
            for _ in range(5):
                stream = await client.chat.completions.create(
                    model="chat", messages=user("word " * 20_000), stream=True
                )
                assert (await anext(aiter(stream))).id
                await stream.close()
            reply = await client.chat.completions.create(model="chat", messages=user("after"))
            return reply.choices[0].message.content

    assert asyncio.run(abandon()) == answer("after")
