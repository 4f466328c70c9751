"""Bodies as agents and frameworks send them, before providers of other dialects: each kind that the field reported."""

import json
import urllib.error
import urllib.request

import processes
import pytest
import servers

KINDS = {
    "openai": {"kind": "openai", "version": "/v1"},
    "anthropic": {"kind": "anthropic"},
    "gemini": {"kind": "gemini"},
    "cohere": {"kind": "cohere"},
    "bedrock": {"kind": "bedrock", "region": "us-east-1"},
    "responses": {"kind": "simulator", "dialect": "responses", "version": "/v1"},
    "chat": {"kind": "custom", "dialect": "chat", "version": "/v1"},
    "messages": {"kind": "custom", "dialect": "messages"},
    "local": {"kind": "llama-cpp", "version": "/v1"},
}
GPT, CLAUDE, GEMINI, COMMAND = "openai/gpt-5.1", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash", "cohere/command-a-03-2025"
NOVA, QWEN = "bedrock/us.amazon.nova-pro-v1:0", "chat/qwen3-coder"
FOREIGN_TO_CLAUDE = [GPT, GEMINI, COMMAND, NOVA, QWEN]
HELLO = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
TOOL = {"name": "weather", "input_schema": SCHEMA}


class Field:
    """A gateway, and the simulator behind it."""

    def __init__(self, directory):
        secrets = processes.Secrets()
        self.simulator = servers.simulator(secrets.environment(), directory / "provider")
        self.provider = f"http://127.0.0.1:{self.simulator.port}"
        credential = {"name": "main", "secret": {"value": "provider-secret-0123456789"}}
        providers = {}
        for name, spec in KINDS.items():
            rest = {field: value for field, value in spec.items() if field != "version"}
            base = {"base_url": self.provider + spec.get("version", ""), "credentials": [credential]}
            providers[name] = rest | (base if name != "local" else {"base_url": base["base_url"]})
        tenants = {"acme": {"keys": [{"name": "backend"}]}}
        config = directory / "field.yaml"
        config.write_text(json.dumps({"apiVersion": "portcullis/v1", "providers": providers, "tenants": tenants}))
        self.gateway = processes.standalone(
            secrets, directory / "gateway", "--config", str(config), "--allow-private-networks", "127.0.0.1"
        )
        self.url = self.gateway.ready["data_plane"].rstrip("/")
        self.key = (directory / "gateway" / "data" / "key-backend@acme.txt").read_text().strip()

    def stop(self):
        assert self.gateway.stop() == 0, self.gateway.log_end()
        assert self.simulator.stop() == 0, self.simulator.log_end()

    def post(self, path: str, body: dict, headers: dict | None = None) -> tuple[int, dict, dict]:
        """Status, body and headers of an answer."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"} | (headers or {})
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode(), headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            return answer.status, json.load(answer), dict(answer.headers)

    def taken(self, path: str, body: dict, headers: dict | None = None) -> tuple[dict, str]:
        """The body of an answer, which has to be one, and what was left out for it."""
        status, answer, told = self.post(path, body, headers)
        assert status == 200, answer
        return answer, told.get("x-portcullis-dropped", "")

    def chat(self, model: str, **more) -> tuple[dict, str]:
        return self.taken("/v1/chat/completions", {"model": model, "messages": HELLO} | more)

    def messages(self, model: str, **more) -> tuple[dict, str]:
        return self.taken("/v1/messages", {"model": model, "max_tokens": 500, "messages": HELLO} | more)

    def generate(self, model: str, **more) -> tuple[dict, str]:
        contents = [{"role": "user", "parts": [{"text": "hello"}]}]
        return self.taken(f"/v1beta/models/{model}:generateContent", {"contents": contents} | more)

    def script(self, model: str, step) -> None:
        request = urllib.request.Request(
            f"{self.provider}/_sim/script/{model}", data=json.dumps(step).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=10).close()

    def last_body(self) -> dict:
        with urllib.request.urlopen(f"{self.provider}/_sim/requests", timeout=10) as reply:
            number = json.load(reply)["requests"][-1]["n"]
        with urllib.request.urlopen(f"{self.provider}/_sim/requests/{number}/body", timeout=10) as reply:
            return json.load(reply)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    field = Field(tmp_path_factory.mktemp("field"))
    yield field
    field.stop()


@pytest.fixture
def own_field(tmp_path):
    """For what changes the health of providers."""
    field = Field(tmp_path)
    yield field
    field.stop()


@pytest.mark.parametrize("model", FOREIGN_TO_CLAUDE)
def test_claude_codes_options_are_hints(field, model):
    _, dropped = field.messages(
        model,
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
    )
    assert "context_management" in dropped


@pytest.mark.parametrize("model", FOREIGN_TO_CLAUDE)
def test_a_system_message_in_mid_conversation(field, model):
    late = [*HELLO, {"role": "system", "content": "no agents"}]
    field.messages(model, messages=late)
    assert "no agents" in json.dumps(field.last_body())
    field.chat(model, messages=[*HELLO, {"role": "assistant", "content": "yes"}, *late])
    assert "no agents" in json.dumps(field.last_body())


@pytest.mark.parametrize("mode", ["default", "lenient"])
@pytest.mark.parametrize("model", [QWEN, CLAUDE, GEMINI, COMMAND, NOVA])
def test_unknown_fields_stay_in_their_dialect(field, model, mode):
    body = {"model": model, "input": "hello", "client_metadata": {"install": "a1"}}
    _, dropped = field.taken("/v1/responses", body, {"x-portcullis-translation": mode})
    assert "client_metadata" in dropped
    assert "a1" not in json.dumps(field.last_body())


@pytest.mark.parametrize("model", [QWEN, CLAUDE, GEMINI, COMMAND, NOVA])
def test_namespaces_become_functions_and_hosted_tools_are_left_out(field, model):
    spawn = {"type": "function", "name": "spawn", "strict": False, "parameters": SCHEMA}
    tools = [
        {"type": "namespace", "name": "agents", "description": "sub-agents", "tools": [spawn]},
        {"type": "web_search", "external_web_access": True},
    ]
    answer, dropped = field.taken("/v1/responses", {"model": model, "input": "hello", "tools": tools})
    assert "tools[] (web_search)" in dropped
    (name,) = [word for word in json.dumps(field.last_body()).split('"') if word.startswith("agents_spawn")]
    answer, _ = field.taken("/v1/responses", {"model": model, "input": f'call:{name} {{"city":"x"}}', "tools": tools})
    (call,) = [item for item in answer["output"] if item["type"] == "function_call"]
    assert (call["namespace"], call["name"]) == ("agents", "spawn")


@pytest.mark.parametrize(("model", "word"), [(CLAUDE, "cache_control"), ("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", "cachePoint")])
def test_cache_marks_of_chat_reach_models_that_have_them(field, model, word):
    mark = {"cache_control": {"type": "ephemeral"}}
    field.chat(model, messages=[{"role": "system", "content": "be brief"} | mark, *HELLO])
    assert word in json.dumps(field.last_body())
    field.chat(model, messages=[{"role": "user", "content": [{"type": "text", "text": "hello"} | mark]}])
    assert word in json.dumps(field.last_body())


@pytest.mark.parametrize("model", [GEMINI, COMMAND, NOVA])
def test_switched_off_parallel_calls_are_a_hint(field, model):
    choice = {"type": "function", "function": {"name": "weather"}}
    field.chat(model, tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=False)
    choice = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    field.messages(model, tools=[TOOL], tool_choice=choice)


@pytest.mark.parametrize("model", [GPT, GEMINI, NOVA])
def test_hints_at_tools(field, model):
    field.messages(model, tools=[TOOL | {"eager_input_streaming": True}])
    function = {"name": "weather", "parametersJsonSchema": SCHEMA, "responseJsonSchema": {"type": "string"}}
    field.generate(model, tools=[{"functionDeclarations": [function]}])


@pytest.mark.parametrize("model", [GPT, CLAUDE, NOVA, COMMAND])
def test_a_result_without_id_belongs_to_the_call_of_its_name(field, model):
    call = {"functionCall": {"id": "call_abc", "name": "weather", "args": {"city": "Paris"}}}
    result = {"functionResponse": {"name": "weather", "response": {"output": "sunny"}}}
    contents = [
        {"role": "user", "parts": [{"text": "weather?"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]
    declared = {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
    answer, _ = field.generate(model, contents=contents, tools=[{"functionDeclarations": [declared]}])
    assert "sunny" in json.dumps(answer)


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_what_says_nothing_refuses_nothing(field, model):
    field.generate(model, safetySettings=[])
    field.generate(model, generationConfig={"topK": 64, "topP": 0.95, "temperature": 1})


@pytest.mark.parametrize("model", [CLAUDE, "bedrock/us.amazon.nova-pro-v1:0"])
def test_an_object_in_json(field, model):
    field.chat(model, messages=[{"role": "user", "content": "answer in JSON"}], response_format={"type": "json_object"})


@pytest.mark.parametrize("first", ["gemini/gemini-3-pro-preview", "responses/gpt-5.1"])
def test_a_loop_goes_on_at_anthropic_after_another_familys_thoughts(field, first):
    turns = [{"role": "user", "content": 'call:weather {"city":"Paris"}'}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer, _ = field.messages(first, messages=turns, tools=[TOOL], thinking=thinking, max_tokens=3000)
    used = [block["id"] for block in answer["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": id, "content": "sunny"} for id in used]
    turns += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": results}]
    answer, _ = field.messages(CLAUDE, messages=turns, tools=[TOOL])
    assert "sunny" in json.dumps(answer)


def test_a_history_of_calls_without_tools(field):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    answer, _ = field.chat(NOVA, messages=turns)
    assert "sunny" in json.dumps(answer)


@pytest.mark.parametrize("model", ["messages/some-claude", "anthropic/claude-nobody-knows", CLAUDE])
def test_a_temperature_is_sent_to_models_that_nobody_knows(field, model):
    field.chat(model, temperature=0.7)


def test_the_words_of_a_failure_reach_the_client(field):
    field.script("gemma", {"status": 500, "error_message": "image input needs the mmproj"})
    status, answer, _ = field.post("/v1/chat/completions", {"model": "local/gemma", "messages": HELLO})
    assert status == 502 and "image input needs the mmproj" in answer["error"]["message"], answer


def test_what_providers_take_the_simulator_takes(field):
    tool = {"type": "function", "name": "a", "parameters": SCHEMA}
    field.taken("/v1/responses", {"model": "responses/gpt-5.1", "input": "hello", "tools": [tool]})
    empty = {"type": "namespace", "name": "n", "tools": []}
    field.taken("/v1/responses", {"model": "responses/gpt-5.1", "input": "hello", "tools": [empty]})
    beta = {"anthropic-version": "2023-06-01", "anthropic-beta": "context-management-2025-06-27"}
    body = {"model": CLAUDE, "max_tokens": 9, "messages": HELLO, "context_management": {"edits": []}}
    field.taken("/v1/messages", body, beta)


@pytest.mark.parametrize(
    ("refused", "said", "other"),
    [
        ("bedrock/anthropic.claude-x-v1:0", {"error_type": "AccessDeniedException"}, NOVA),
        ("anthropic/claude-x", {"error_type": "permission_error"}, CLAUDE),
    ],
)
def test_a_model_that_an_account_may_not_use_takes_no_other_with_it(own_field, refused, said, other):
    model = refused.partition("/")[2]
    own_field.script(model, said | {"status": 403, "error_message": "no access to the model"})
    status, _, _ = own_field.post("/v1/chat/completions", {"model": refused, "messages": HELLO})
    assert status == 502
    own_field.chat(other)


def test_a_rate_limit_of_one_model_rests_no_other(own_field):
    limit = {"status": 429, "retry_after": 8, "error_message": "Rate limit reached for gpt-4.1-mini"}
    own_field.script("gpt-4.1-mini", limit)
    status, _, _ = own_field.post("/v1/chat/completions", {"model": "openai/gpt-4.1-mini", "messages": HELLO})
    assert status == 429
    own_field.chat("openai/gpt-4o-mini")
