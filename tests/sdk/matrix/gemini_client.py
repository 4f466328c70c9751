"""The official google-genai SDK: generateContent."""

from google import genai
from google.genai import errors, types

from .asks import Answer, Ask, Call, Refused


class Gemini:
    """generateContent and streamGenerateContent."""

    title = "Gemini"

    def __init__(self, url: str, key: str, model: str):
        self.model = model
        options = types.HttpOptions(base_url=f"{url}/gemini", timeout=30_000)
        self.sdk = genai.Client(api_key=key, http_options=options, vertexai=False)

    def first(self, ask: Ask) -> list:
        parts = [types.Part.from_text(text=ask.prompt)]
        if ask.image:
            parts.append(types.Part.from_bytes(data=ask.image, mime_type="image/png"))
        return [types.Content(role="user", parts=parts)]

    def result(self, call: Call, result: str) -> types.Part:
        """What a tool gave, with the id of its call where it has one."""
        response = types.FunctionResponse(id=call.id or None, name=call.name, response={"output": result})
        return types.Part(function_response=response)

    def follow(self, ask: Ask, answer: Answer, results: list[str]) -> list:
        told = [self.result(call, result) for call, result in zip(answer.calls, results, strict=True)]
        return [*self.first(ask), answer.native, types.Content(role="user", parts=told)]

    def config(self, ask: Ask) -> types.GenerateContentConfig:
        options = {"max_output_tokens": ask.limit}
        if ask.system:
            options["system_instruction"] = ask.system
        if ask.tools:
            functions = [
                types.FunctionDeclaration(
                    name=tool.name, description=tool.description, parameters_json_schema=tool.schema
                )
                for tool in ask.tools
            ]
            options["tools"] = [types.Tool(function_declarations=functions)]
            options["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
        if ask.schema:
            options["response_mime_type"] = "application/json"
            options["response_json_schema"] = ask.schema
        if ask.think:
            options["thinking_config"] = types.ThinkingConfig(thinking_budget=2048, include_thoughts=True)
        return types.GenerateContentConfig(**options)

    def ask(self, ask: Ask, turns: list | None = None) -> Answer:
        turns = turns if turns is not None else self.first(ask)
        options = {"model": self.model, "contents": turns, "config": self.config(ask)}
        try:
            if ask.stream:
                chunks = list(self.sdk.models.generate_content_stream(**options))
            else:
                chunks = [self.sdk.models.generate_content(**options)]
        except errors.APIError as error:
            raise Refused(error.code, str(error)) from error
        return self.read(chunks)

    def read(self, chunks: list) -> Answer:
        answer, parts, finish = Answer(), [], None
        for chunk in chunks:
            for candidate in chunk.candidates or []:
                finish = candidate.finish_reason or finish
                parts.extend((candidate.content and candidate.content.parts) or [])
            if chunk.usage_metadata:
                usage = chunk.usage_metadata
                answer.tokens_in = usage.prompt_token_count or 0
                answer.tokens_out = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        for part in parts:
            if part.function_call:
                answer.calls.append(
                    Call(part.function_call.id or "", part.function_call.name, dict(part.function_call.args or {}))
                )
            elif part.thought:
                answer.thoughts += part.text or ""
            else:
                answer.text += part.text or ""
        answer.finish = {"STOP": "stop", "MAX_TOKENS": "length"}[finish.name]
        if answer.calls and answer.finish == "stop":
            answer.finish = "tool_calls"
        answer.native = types.Content(role="model", parts=parts)
        return answer


class ByHand(Gemini):
    """The loop of tools as Google's guide writes it: a result has the name of its function and no id."""

    title = "Gemini, tool loop by hand"

    def result(self, call: Call, result: str) -> types.Part:
        return types.Part.from_function_response(name=call.name, response={"output": result})
