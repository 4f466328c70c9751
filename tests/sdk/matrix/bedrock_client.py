"""boto3: Bedrock's Converse and ConverseStream."""

import json
import os
from unittest import mock

import boto3
import botocore.config
import botocore.exceptions

from .asks import Answer, Ask, Call, Refused

FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


class Converse:
    """Converse and ConverseStream."""

    title = "Bedrock Converse"

    def __init__(self, url: str, key: str, model: str, certificate: str | None = None):
        """boto3 sends a bearer token to an address with TLS only; `certificate` is the file of the server's."""
        self.model = model
        # boto3 takes a bearer token from the environment only, when the client is made and when it asks.
        self.environment = {"AWS_BEARER_TOKEN_BEDROCK": key}
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=30)
        with mock.patch.dict(os.environ, self.environment):
            self.sdk = boto3.client(
                "bedrock-runtime",
                region_name="us-east-1",
                endpoint_url=f"{url}/bedrock",
                config=config,
                verify=certificate,
            )

    def first(self, ask: Ask) -> list:
        content = [{"text": ask.prompt}]
        if ask.image:
            content.append({"image": {"format": "png", "source": {"bytes": ask.image}}})
        return [{"role": "user", "content": content}]

    def follow(self, ask: Ask, answer: Answer, results: list[str]) -> list:
        told = [
            {"toolResult": {"toolUseId": call.id, "content": [{"text": result}]}}
            for call, result in zip(answer.calls, results, strict=True)
        ]
        assistant = {"role": "assistant", "content": answer.native}
        return [*self.first(ask), assistant, {"role": "user", "content": told}]

    def options(self, ask: Ask, turns: list) -> dict:
        options = {"modelId": self.model, "messages": turns, "inferenceConfig": {"maxTokens": ask.limit}}
        if ask.system:
            options["system"] = [{"text": ask.system}]
        if ask.tools:
            options["toolConfig"] = {
                "tools": [
                    {
                        "toolSpec": {
                            "name": tool.name,
                            "description": tool.description,
                            "inputSchema": {"json": tool.schema},
                        }
                    }
                    for tool in ask.tools
                ]
            }
        if ask.schema:
            structure = {"jsonSchema": {"name": "person", "schema": json.dumps(ask.schema)}}
            options["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        if ask.think:
            thinking = {"type": "enabled", "budget_tokens": 2048}
            options["additionalModelRequestFields"] = {"thinking": thinking}
        return options

    def ask(self, ask: Ask, turns: list | None = None) -> Answer:
        options = self.options(ask, turns if turns is not None else self.first(ask))
        try:
            with mock.patch.dict(os.environ, self.environment):
                if ask.stream:
                    return self.streamed(self.sdk.converse_stream(**options)["stream"])
                reply = self.sdk.converse(**options)
        except botocore.exceptions.ClientError as error:
            raise Refused(error.response["ResponseMetadata"]["HTTPStatusCode"], str(error)) from error
        return self.read(reply["output"]["message"]["content"], reply["stopReason"], reply["usage"])

    def streamed(self, events) -> Answer:
        blocks: dict[int, dict] = {}
        stop, usage = None, None
        for event in events:
            if start := event.get("contentBlockStart"):
                tool = start["start"].get("toolUse")
                if tool:
                    blocks[start["contentBlockIndex"]] = {"toolUse": dict(tool) | {"input": ""}}
            elif delta := event.get("contentBlockDelta"):
                self.add(blocks, delta["contentBlockIndex"], delta["delta"])
            elif end := event.get("messageStop"):
                stop = end["stopReason"]
            elif metadata := event.get("metadata"):
                usage = metadata["usage"]
        content = [block for _, block in sorted(blocks.items())]
        for block in content:
            if tool := block.get("toolUse"):
                tool["input"] = json.loads(tool["input"] or "{}")
        return self.read(content, stop, usage)

    def add(self, blocks: dict[int, dict], index: int, delta: dict) -> None:
        if "text" in delta:
            block = blocks.setdefault(index, {"text": ""})
            block["text"] += delta["text"]
        elif "toolUse" in delta:
            blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
        elif "reasoningContent" in delta:
            block = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {"text": ""}}})
            told = block["reasoningContent"]["reasoningText"]
            told["text"] += delta["reasoningContent"].get("text", "")
            if signature := delta["reasoningContent"].get("signature"):
                told["signature"] = signature

    def read(self, content: list, stop: str, usage: dict) -> Answer:
        answer = Answer(
            finish=FINISH[stop], tokens_in=usage["inputTokens"], tokens_out=usage["outputTokens"], native=content
        )
        for block in content:
            if "text" in block:
                answer.text += block["text"]
            elif "toolUse" in block:
                tool = block["toolUse"]
                answer.calls.append(Call(tool["toolUseId"], tool["name"], tool["input"]))
            elif "reasoningContent" in block:
                answer.thoughts += block["reasoningContent"].get("reasoningText", {}).get("text", "")
        return answer
