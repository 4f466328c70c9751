"""The official anthropic SDK: Messages."""

import base64

import anthropic

from .asks import Answer, Ask, Call, Refused

FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


class Messages:
    """Messages."""

    title = "Anthropic Messages"

    def __init__(self, url: str, key: str, model: str):
        self.model = model
        self.sdk = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=30)

    def first(self, ask: Ask) -> list:
        content = [{"type": "text", "text": ask.prompt}]
        if ask.image:
            data = base64.b64encode(ask.image).decode()
            source = {"type": "base64", "media_type": "image/png", "data": data}
            content.append({"type": "image", "source": source})
        return [{"role": "user", "content": content}]

    def follow(self, ask: Ask, answer: Answer, results: list[str]) -> list:
        told = [
            {"type": "tool_result", "tool_use_id": call.id, "content": result}
            for call, result in zip(answer.calls, results, strict=True)
        ]
        assistant = {"role": "assistant", "content": answer.native}
        return [*self.first(ask), assistant, {"role": "user", "content": told}]

    def options(self, ask: Ask, turns: list) -> dict:
        options = {"model": self.model, "messages": turns, "max_tokens": ask.limit}
        if ask.system:
            options["system"] = ask.system
        if ask.tools:
            options["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.schema} for tool in ask.tools
            ]
        if ask.schema:
            options["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
        if ask.think:
            options["thinking"] = {"type": "enabled", "budget_tokens": 2048}
        return options

    def ask(self, ask: Ask, turns: list | None = None) -> Answer:
        options = self.options(ask, turns if turns is not None else self.first(ask))
        try:
            if not ask.stream:
                return self.read(self.sdk.messages.create(**options))
            with self.sdk.messages.stream(**options) as stream:
                return self.read(stream.get_final_message())
        except anthropic.APIStatusError as error:
            raise Refused(error.status_code, str(error)) from error

    def read(self, reply) -> Answer:
        answer = Answer(
            finish=FINISH[reply.stop_reason],
            tokens_in=reply.usage.input_tokens,
            tokens_out=reply.usage.output_tokens,
            native=[block.model_dump(exclude_none=True) for block in reply.content],
        )
        for block in reply.content:
            if block.type == "text":
                answer.text += block.text
            elif block.type == "thinking":
                answer.thoughts += block.thinking
            elif block.type == "tool_use":
                answer.calls.append(Call(block.id, block.name, block.input))
        return answer
