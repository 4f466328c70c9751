"""The official openai SDK: Chat Completions and Responses."""

import base64
import json

import openai

from .asks import Answer, Ask, Call, Refused


def data_uri(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


class OpenAi:
    """What both APIs share."""

    def __init__(self, url: str, key: str, model: str):
        self.model = model
        self.sdk = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)

    def ask(self, ask: Ask, turns: list | None = None) -> Answer:
        turns = turns if turns is not None else self.first(ask)
        try:
            return self.streamed(ask, turns) if ask.stream else self.plain(ask, turns)
        except openai.APIStatusError as error:
            raise Refused(error.status_code, str(error)) from error
        except openai.APIError as error:
            raise Refused(0, str(error)) from error


class Chat(OpenAi):
    """Chat Completions."""

    title = "OpenAI Chat"

    def first(self, ask: Ask) -> list:
        content = ask.prompt
        if ask.image:
            image = {"type": "image_url", "image_url": {"url": data_uri(ask.image)}}
            content = [{"type": "text", "text": ask.prompt}, image]
        system = [{"role": "system", "content": ask.system}] if ask.system else []
        return [*system, {"role": "user", "content": content}]

    def follow(self, ask: Ask, answer: Answer, results: list[str]) -> list:
        told = [
            {"role": "tool", "tool_call_id": call.id, "content": result}
            for call, result in zip(answer.calls, results, strict=True)
        ]
        return [*self.first(ask), answer.native, *told]

    def options(self, ask: Ask, turns: list) -> dict:
        options = {"model": self.model, "messages": turns, "max_completion_tokens": ask.limit}
        if ask.tools:
            options["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
                }
                for tool in ask.tools
            ]
        if ask.schema:
            schema = {"name": "person", "schema": ask.schema, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        if ask.think:
            options["reasoning_effort"] = "medium"
        return options

    def plain(self, ask: Ask, turns: list) -> Answer:
        reply = self.sdk.chat.completions.create(**self.options(ask, turns))
        choice = reply.choices[0]
        message = choice.message
        return Answer(
            text=message.content or "",
            thoughts=getattr(message, "reasoning_content", None) or "",
            calls=[
                Call(call.id, call.function.name, json.loads(call.function.arguments))
                for call in message.tool_calls or []
            ],
            finish=choice.finish_reason,
            tokens_in=reply.usage.prompt_tokens,
            tokens_out=reply.usage.completion_tokens,
            native=message.model_dump(exclude_none=True),
        )

    def streamed(self, ask: Ask, turns: list) -> Answer:
        answer = Answer()
        calls: dict[int, dict] = {}
        options = self.options(ask, turns) | {"stream": True, "stream_options": {"include_usage": True}}
        for chunk in self.sdk.chat.completions.create(**options):
            if chunk.usage:
                answer.tokens_in = chunk.usage.prompt_tokens
                answer.tokens_out = chunk.usage.completion_tokens
            for choice in chunk.choices:
                answer.text += choice.delta.content or ""
                answer.thoughts += getattr(choice.delta, "reasoning_content", None) or ""
                answer.finish = choice.finish_reason or answer.finish
                for part in choice.delta.tool_calls or []:
                    call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] += part.id or ""
                    call["name"] += part.function.name or ""
                    call["arguments"] += part.function.arguments or ""
        answer.calls = [Call(c["id"], c["name"], json.loads(c["arguments"])) for _, c in sorted(calls.items())]
        answer.native = {"role": "assistant", "content": answer.text or None}
        if calls:
            answer.native["tool_calls"] = [
                {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
                for _, c in sorted(calls.items())
            ]
        return answer


class Responses(OpenAi):
    """Responses."""

    title = "OpenAI Responses"

    def first(self, ask: Ask) -> list:
        content = [{"type": "input_text", "text": ask.prompt}]
        if ask.image:
            content.append({"type": "input_image", "image_url": data_uri(ask.image), "detail": "auto"})
        return [{"role": "user", "content": content}]

    def follow(self, ask: Ask, answer: Answer, results: list[str]) -> list:
        told = [
            {"type": "function_call_output", "call_id": call.id, "output": result}
            for call, result in zip(answer.calls, results, strict=True)
        ]
        return [*self.first(ask), *answer.native, *told]

    def options(self, ask: Ask, turns: list) -> dict:
        options = {"model": self.model, "input": turns, "max_output_tokens": ask.limit, "store": False}
        if ask.system:
            options["instructions"] = ask.system
        if ask.tools:
            options["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.schema,
                    "strict": False,
                }
                for tool in ask.tools
            ]
        if ask.schema:
            form = {"type": "json_schema", "name": "person", "schema": ask.schema, "strict": True}
            options["text"] = {"format": form}
        if ask.think:
            options["reasoning"] = {"effort": "medium", "summary": "auto"}
        return options

    def plain(self, ask: Ask, turns: list) -> Answer:
        return self.read(self.sdk.responses.create(**self.options(ask, turns)))

    def streamed(self, ask: Ask, turns: list) -> Answer:
        text, last, sequence = "", None, -1
        for event in self.sdk.responses.create(**self.options(ask, turns), stream=True):
            assert event.sequence_number == sequence + 1, f"{event.type}: {event.sequence_number} after {sequence}"
            sequence = event.sequence_number
            if event.type == "response.output_text.delta":
                text += event.delta
            last = event
        assert last is not None and hasattr(last, "response"), f"no terminal event: {last}"
        answer = self.read(last.response)
        assert answer.text == text, "the terminal event repeats what was streamed"
        return answer

    def read(self, reply) -> Answer:
        if reply.status == "failed":
            raise Refused(0, reply.error.message)
        answer = Answer(finish="stop", tokens_in=reply.usage.input_tokens, tokens_out=reply.usage.output_tokens)
        answer.native = [item.model_dump(exclude_none=True) for item in reply.output]
        for item in reply.output:
            if item.type == "message":
                answer.text += "".join(part.text for part in item.content if part.type == "output_text")
            elif item.type == "reasoning":
                answer.thoughts += "".join(part.text for part in item.summary)
                answer.thoughts += "".join(part.text for part in item.content or [])
            elif item.type == "function_call":
                answer.calls.append(Call(item.call_id, item.name, json.loads(item.arguments)))
        if answer.calls:
            answer.finish = "tool_calls"
        if reply.status == "incomplete":
            answer.finish = {"max_output_tokens": "length"}[reply.incomplete_details.reason]
        return answer
