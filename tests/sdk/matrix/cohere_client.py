"""The official cohere SDK: Chat, version 2."""

import base64
import json

import cohere
import cohere.core

from .asks import Answer, Ask, Call, Refused

FINISH = {"COMPLETE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}


class Cohere:
    """Chat, version 2."""

    title = "Cohere Chat v2"

    def __init__(self, url: str, key: str, model: str):
        self.model = model
        self.sdk = cohere.ClientV2(api_key=key, base_url=url, timeout=30)

    def first(self, ask: Ask) -> list:
        content = ask.prompt
        if ask.image:
            uri = f"data:image/png;base64,{base64.b64encode(ask.image).decode()}"
            content = [{"type": "text", "text": ask.prompt}, {"type": "image_url", "image_url": {"url": uri}}]
        system = [{"role": "system", "content": ask.system}] if ask.system else []
        return [*system, {"role": "user", "content": content}]

    def follow(self, ask: Ask, answer: Answer, results: list[str]) -> list:
        told = [
            {"role": "tool", "tool_call_id": call.id, "content": result}
            for call, result in zip(answer.calls, results, strict=True)
        ]
        return [*self.first(ask), answer.native, *told]

    def options(self, ask: Ask, turns: list) -> dict:
        options = {"model": self.model, "messages": turns, "max_tokens": ask.limit}
        if ask.tools:
            options["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
                }
                for tool in ask.tools
            ]
        if ask.schema:
            options["response_format"] = {"type": "json_object", "json_schema": ask.schema}
        if ask.think:
            options["thinking"] = {"type": "enabled", "token_budget": 2048}
        return options

    def ask(self, ask: Ask, turns: list | None = None) -> Answer:
        options = self.options(ask, turns if turns is not None else self.first(ask))
        no_retries = {"max_retries": 0}
        try:
            if ask.stream:
                return self.streamed(self.sdk.chat_stream(**options, request_options=no_retries))
            return self.read(self.sdk.chat(**options, request_options=no_retries))
        except cohere.core.ApiError as error:
            raise Refused(error.status_code, str(error.body)) from error

    def read(self, reply) -> Answer:
        message = reply.message
        answer = Answer(finish=FINISH[reply.finish_reason])
        answer.native = {"role": "assistant"} | message.model_dump(exclude_none=True)
        for part in message.content or []:
            if part.type == "text":
                answer.text += part.text
            elif part.type == "thinking":
                answer.thoughts += part.thinking
        for call in message.tool_calls or []:
            answer.calls.append(Call(call.id, call.function.name, json.loads(call.function.arguments)))
        self.count(answer, reply.usage)
        return answer

    def streamed(self, events) -> Answer:
        answer, calls, kind = Answer(), {}, "text"
        for event in events:
            delta = getattr(event, "delta", None)
            match event.type:
                case "content-start":
                    kind = delta.message.content.type or "text"
                    answer.text += delta.message.content.text or ""
                case "content-delta":
                    answer.text += getattr(delta.message.content, "text", None) or ""
                    answer.thoughts += getattr(delta.message.content, "thinking", None) or ""
                case "tool-call-start":
                    call = delta.message.tool_calls
                    calls[event.index] = [call.id, call.function.name, call.function.arguments or ""]
                case "tool-call-delta":
                    calls[event.index][2] += delta.message.tool_calls.function.arguments or ""
                case "message-end":
                    answer.finish = FINISH[delta.finish_reason]
                    self.count(answer, delta.usage)
        assert kind in ("text", "thinking")
        ordered = [call for _, call in sorted(calls.items())]
        answer.calls = [Call(id, name, json.loads(arguments)) for id, name, arguments in ordered]
        answer.native = {"role": "assistant"}
        if ordered:
            answer.native["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in ordered
            ]
        else:
            answer.native["content"] = answer.text
        return answer

    def count(self, answer: Answer, usage) -> None:
        answer.tokens_in = int(usage.tokens.input_tokens)
        answer.tokens_out = int(usage.tokens.output_tokens)
