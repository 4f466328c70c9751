"""AWS's Python SDK against the simulator: signed requests, binary frames."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from simulator_samples import AWS_KEY, AWS_SECRET, CALLS, IMAGE, PERSON, SOMEBODY, WEATHER, seen

# A name that must be percent-encoded in the path, and so in the signature.
MODEL = "anthropic.claude-v1:0"
TOOLS = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": WEATHER}}}]}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


def connect(simulator, secret=AWS_SECRET):
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=simulator.url,
        aws_access_key_id=AWS_KEY,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
    )


@pytest.fixture
def client(simulator):
    return connect(simulator)


def ask(*content, **more) -> dict:
    blocks = [{"text": block} if isinstance(block, str) else block for block in content]
    return {"modelId": MODEL, "messages": [{"role": "user", "content": blocks}]} | more


def texts(message) -> list[str]:
    return [block["text"] for block in message["content"] if "text" in block]


def test_plain_and_streamed(client):
    reply = client.converse(**ask("hello there", system=[{"text": "be brief"}]))
    assert (texts(reply["output"]["message"]), reply["stopReason"]) == (["echo: hello there"], "end_turn")
    events = list(client.converse_stream(**ask("hello there", system=[{"text": "be brief"}]))["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == "echo: hello there"
    assert events[-1]["metadata"]["usage"] == reply["usage"]
    counted = client.count_tokens(
        modelId=MODEL, input={"converse": {"messages": ask("hello there")["messages"]}}
    )
    assert counted["inputTokens"] == 3


def test_parallel_tools_with_reasoning_and_their_results(client):
    options = ask(CALLS, toolConfig=TOOLS, additionalModelRequestFields=THINKING)
    first = client.converse(**options)["output"]["message"]
    calls = [block["toolUse"] for block in first["content"][1:]]
    assert [call["input"]["city"] for call in calls] == ["Rome", "Oslo"]
    events = list(client.converse_stream(**options)["stream"])
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    pieces = [delta["delta"]["toolUse"]["input"] for delta in deltas if delta["contentBlockIndex"] == 2]
    assert json.loads("".join(pieces)) == {"city": "Oslo"}
    results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "sun"}]}} for call in calls]
    turn = [first, {"role": "user", "content": results}]
    reply = client.converse(**options | {"messages": [*options["messages"], *turn]})
    assert texts(reply["output"]["message"]) == ["results: sun | sun"]
    first["content"][0]["reasoningContent"]["reasoningText"]["text"] = "altered"
    with pytest.raises(ClientError, match="Invalid `signature`"):
        client.converse(**options | {"messages": [*options["messages"], *turn]})


def test_images_and_structured_output(client):
    image = {"image": {"format": "png", "source": {"bytes": IMAGE}}}
    document = {"document": {"format": "pdf", "name": "a paper", "source": {"bytes": IMAGE}}}
    (text,) = texts(client.converse(**ask("what?", image, document))["output"]["message"])
    assert seen("image", "image/png", IMAGE) in text and seen("document", "application/pdf", IMAGE) in text
    schema = {"jsonSchema": {"schema": json.dumps(PERSON), "name": "person"}}
    output = {"textFormat": {"type": "json_schema", "structure": schema}}
    reply = client.converse(**ask("who?", outputConfig=output))
    assert json.loads(texts(reply["output"]["message"])[0]) == SOMEBODY


def test_limits_and_errors(client, script):
    cut = client.converse(**ask("a long enough text", inferenceConfig={"maxTokens": 3}))
    assert (texts(cut["output"]["message"]), cut["stopReason"]) == (["echo: a long"], "max_tokens")
    with pytest.raises(client.exceptions.ThrottlingException):
        client.converse(**ask("error:429"))
    with pytest.raises(client.exceptions.ValidationException, match="blank"):
        client.converse(**ask(" "))
    script("torn", {"error_event_after": 1, "error_message": "boom"})
    with pytest.raises(EventStreamError, match="boom"):
        list(client.converse_stream(**ask("hi") | {"modelId": "torn"})["stream"])


def test_signatures_are_verified(simulator, script):
    script("*", {"require_sigv4": {"access_key_id": AWS_KEY, "secret_access_key": AWS_SECRET}})
    assert connect(simulator).converse(**ask("hi"))["stopReason"] == "end_turn"
    with pytest.raises(ClientError) as refused:
        connect(simulator, "another secret").converse(**ask("hi"))
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_embeddings(client):
    body = json.dumps({"inputText": "abcdefgh", "dimensions": 16})
    reply = client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=body)
    assert len(json.loads(reply["body"].read())["embedding"]) == 16
