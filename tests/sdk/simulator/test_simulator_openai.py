"""OpenAI's Python SDK against the simulator: chat completions, responses and the endpoints around them."""

import base64
import json

import openai
import pytest
from simulator_samples import CALL, CALLS, IMAGE, KEY, PERSON, SOMEBODY, WEATHER, seen

TOOL = {"type": "function", "function": {"name": "weather", "parameters": WEATHER, "strict": True}}
PICTURE = f"data:image/png;base64,{base64.b64encode(IMAGE).decode()}"


@pytest.fixture
def client(simulator):
    with openai.OpenAI(base_url=f"{simulator.url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


def ask(text, **more) -> dict:
    return {"model": "m", "messages": [{"role": "user", "content": text}]} | more


def chat(client, text, **more):
    return client.chat.completions.create(**ask(text, **more))


class TestChat:
    def test_plain_and_streamed(self, client):
        reply = chat(client, "hello there")
        assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (
            "echo: hello there",
            "stop",
        )
        assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
        chunks = list(chat(client, "hello there", stream=True, stream_options={"include_usage": True}))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert (text, chunks[-1].usage) == ("echo: hello there", reply.usage)

    def test_parallel_tools_and_their_results(self, client):
        with client.chat.completions.stream(**ask(CALLS, tools=[TOOL])) as stream:
            streamed = stream.get_final_completion().choices[0].message
        message = chat(client, CALLS, tools=[TOOL]).choices[0].message
        for calls in (message.tool_calls, streamed.tool_calls):
            assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Rome", "Oslo"]
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": text}
            for call, text in zip(message.tool_calls, ["sun", "rain"])
        ]
        messages = [*ask(CALLS)["messages"], message, *results]
        reply = client.chat.completions.create(model="m", messages=messages, tools=[TOOL])
        assert reply.choices[0].message.content == "results: sun | rain"

    def test_one_tool_only(self, client):
        reply = chat(client, CALLS, tools=[TOOL], parallel_tool_calls=False)
        assert len(reply.choices[0].message.tool_calls) == 1
        forced = chat(client, "hi", tools=[TOOL], tool_choice="required")
        assert json.loads(forced.choices[0].message.tool_calls[0].function.arguments) == {"city": "text"}

    def test_image(self, client):
        content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
        assert seen("image", "image/png", IMAGE) in chat(client, content).choices[0].message.content

    def test_structured_output(self, client):
        schema = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
        assert json.loads(chat(client, "who?", response_format=schema).choices[0].message.content) == SOMEBODY

    def test_reasoning(self, client):
        reply = chat(client, "why?", reasoning_effort="low")
        assert reply.choices[0].message.reasoning_content == "I think about: why?"
        assert reply.usage.completion_tokens_details.reasoning_tokens > 0

    def test_max_tokens(self, client):
        reply = chat(client, "a long enough text", max_completion_tokens=3)
        assert (reply.choices[0].finish_reason, reply.usage.completion_tokens) == ("length", 3)

    def test_errors(self, client, simulator):
        with pytest.raises(openai.RateLimitError) as limited:
            chat(client, "error:429 retry-after:7")
        assert limited.value.response.headers["retry-after"] == "7"
        with pytest.raises(openai.BadRequestError) as strange:
            chat(client, "hi", extra_body={"top_k": 3})
        assert strange.value.param == "top_k"
        with pytest.raises(openai.AuthenticationError):
            chat(openai.OpenAI(base_url=f"{simulator.url}/v1", api_key="wrong", max_retries=0), "hi")

    def test_error_inside_a_stream(self, client, script):
        script("torn", {"error_event_after": 1, "error_message": "boom"})
        with pytest.raises(openai.APIError, match="boom"):
            list(client.chat.completions.create(**ask("one two", stream=True) | {"model": "torn"}))

    @pytest.mark.parametrize(
        "odd",
        [
            {"line_end": "crlf", "bom": True},
            {"line_end": "cr"},
            {"split_bytes": 1},
            {"packet_events": 100},
            {"multi_line_data": True},
            {"tight": True},
            {"pings": 1},
            {"obfuscation": True},
            {"gzip": True},
            {"usage": "last_choice"},
            {"usage": "every_chunk"},
        ],
        ids=json.dumps,
    )
    def test_odd_streams_that_the_sdk_reads(self, client, script, odd):
        script("odd", odd)
        chunks = list(client.chat.completions.create(**ask("one two", stream=True) | {"model": "odd"}))
        assert (
            "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
            == "echo: one two"
        )


class TestResponses:
    def tool(self) -> dict:
        return {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}

    def test_plain_and_streamed(self, client):
        reply = client.responses.create(model="m", input="hello there", instructions="be brief")
        assert (reply.output_text, reply.status) == ("echo: hello there", "completed")
        with client.responses.stream(model="m", input="hello there", instructions="be brief") as stream:
            events = list(stream)
        assert events[-1].response.output_text == "echo: hello there"
        assert events[-1].response.usage == reply.usage
        assert (
            "".join(event.delta for event in events if event.type == "response.output_text.delta")
            == "echo: hello there"
        )

    def test_parallel_tools_with_reasoning_and_their_results(self, client):
        options = {
            "model": "m",
            "tools": [self.tool()],
            "store": False,
            "reasoning": {"effort": "low", "summary": "auto"},
        }
        with client.responses.stream(input=CALLS, **options) as stream:
            first = stream.get_final_response()
        kinds = [item.type for item in first.output]
        assert kinds == ["reasoning", "function_call", "function_call"]
        calls = [item for item in first.output if item.type == "function_call"]
        assert [json.loads(call.arguments)["city"] for call in calls] == ["Rome", "Oslo"]
        outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "sun"} for call in calls]
        history = [{"role": "user", "content": CALLS}, *first.output, *outputs]
        assert client.responses.create(input=history, **options).output_text == "results: sun | sun"
        altered = first.output[0].model_copy(update={"encrypted_content": "AAAA"})
        with pytest.raises(openai.BadRequestError, match="could not be verified"):
            client.responses.create(input=[history[0], altered, *history[2:]], **options)

    def test_image_and_structured_output(self, client):
        content = [
            {"type": "input_text", "text": "what?"},
            {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
        ]
        reply = client.responses.create(model="m", input=[{"role": "user", "content": content}])
        assert seen("image", "image/png", IMAGE) in reply.output_text
        text = {"format": {"type": "json_schema", "name": "person", "schema": PERSON, "strict": True}}
        assert json.loads(client.responses.create(model="m", input="who?", text=text).output_text) == SOMEBODY

    def test_limits_refusals_and_errors(self, client):
        reply = client.responses.create(model="m", input="long " * 40, max_output_tokens=16)
        assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        refused = client.responses.create(model="m", input="refuse: no")
        assert refused.output[0].content[0].refusal == "I cannot help with that: no"
        with pytest.raises(openai.InternalServerError):
            client.responses.create(model="m", input="error:503")
        assert client.responses.input_tokens.count(model="m", input="hello there").input_tokens == 3


class TestOthers:
    def test_embeddings_completions_and_moderations(self, client):
        vectors = client.embeddings.create(model="m", input=["a", "b"], dimensions=8)
        assert [len(datum.embedding) for datum in vectors.data] == [8, 8]
        assert client.completions.create(model="m", prompt="hi").choices[0].text == "echo: hi"
        flags = client.moderations.create(model="m", input=["peace", "violence"])
        assert [result.flagged for result in flags.results] == [False, True]

    def test_images_and_audio(self, client):
        images = client.images.generate(model="m", prompt="a cat", n=2)
        assert base64.b64decode(images.data[1].b64_json).startswith(b"\x89PNG")
        spoken = client.audio.speech.create(model="m", input="hello", voice="alloy").read()
        heard = client.audio.transcriptions.create(model="m", file=("a.mp3", spoken))
        assert heard.text.startswith(f"heard {len(spoken)} bytes ")

    def test_azure(self, simulator):
        client = openai.AzureOpenAI(
            azure_endpoint=simulator.url, api_key=KEY, api_version="2025-01-01", max_retries=0
        )
        assert client.chat.completions.create(**ask("hi")).choices[0].message.content == "echo: hi"


def test_one_call_is_recorded_with_its_bytes(client, simulator):
    client.chat.completions.create(**ask(CALL) | {"model": "recorded"})
    (request,) = simulator.requests("recorded")
    body = simulator.admin("GET", f"requests/{request['n']}/body")
    assert json.loads(body)["messages"][0]["content"] == CALL
    assert KEY not in json.dumps(request) and len(request["body_sha256"]) == 64
