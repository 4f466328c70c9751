"""What the official OpenAI SDK makes of our errors: its own exception classes, with our stable codes."""

import openai
import pytest

from echo import user


def chat(client: openai.OpenAI, model: str = "chat", **more):
    return client.chat.completions.create(model=model, messages=user("x"), **more)


def mistyped(key: str) -> str:
    """The key with one character of its secret changed, so that its checksum is wrong."""
    middle = len(key) * 2 // 3
    return key[:middle] + ("a" if key[middle] != "a" else "b") + key[middle + 1 :]


@pytest.mark.parametrize("stream", [False, True])
def test_a_mistyped_key(gateway, stream):
    with openai.OpenAI(**gateway.options(api_key=mistyped(gateway.key))) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            chat(client, stream=stream)
    assert caught.value.code == "invalid_key"
    assert caught.value.response.headers["x-portcullis-request-id"]


@pytest.mark.parametrize("key", ["nonsense", "sk-pc-mistyped", "sk-" + "x" * 5000])
def test_something_that_is_no_key(gateway, key):
    with openai.OpenAI(**gateway.options(api_key=key)) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            chat(client)
    assert caught.value.code == "invalid_key"
    assert key not in caught.value.message


def test_models_need_a_key_too(gateway):
    with openai.OpenAI(**gateway.options(api_key="nonsense")) as client:
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model(client, stream):
    with pytest.raises(openai.NotFoundError) as caught:
        chat(client, model="no-such-route", stream=stream)
    assert caught.value.code == "route_not_found"
    assert "no-such-route" in caught.value.message


@pytest.mark.parametrize(
    "body", [{"messages": user("x")}, {"model": 7, "messages": user("x")}, ["no object"], "no object"]
)
def test_a_body_that_names_no_model(client, body):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", body=body, cast_to=object)
    assert caught.value.code == "invalid_request"


def test_a_body_that_is_no_json(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/chat/completions",
            content=b'{"model": "chat", ',
            cast_to=object,
            options={"headers": {"content-type": "application/json"}},
        )
    assert caught.value.code == "invalid_request"
