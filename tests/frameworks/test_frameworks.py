"""Frameworks, as their users write them, run a loop of tools before a provider of each dialect."""

import asyncio

import pytest
from matrix.providers import PROVIDERS

ORDER = 'call:get_weather {"city":"Paris"}'
WEATHER = "sunny, 21 degrees"


def get_weather(city: str) -> str:
    """The weather in a city."""
    assert city == "Paris"
    return WEATHER


everywhere = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.route)


def langchain_model(client: str, gateway, route: str):
    if client == "openai":
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model=route, base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    if client == "responses":
        from langchain_openai import ChatOpenAI

        options = {"use_responses_api": True, "max_retries": 0}
        return ChatOpenAI(model=route, base_url=f"{gateway.url}/v1", api_key=gateway.key, **options)
    if client == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=route, base_url=gateway.url, api_key=gateway.key, max_retries=0)
    from langchain_google_genai import ChatGoogleGenerativeAI

    options = {"base_url": f"{gateway.url}/gemini", "transport": "rest", "max_retries": 1}
    return ChatGoogleGenerativeAI(model=route, google_api_key=gateway.key, **options)


@everywhere
@pytest.mark.parametrize("client", ["openai", "responses", "anthropic", "google"])
def test_langchain(gateway, provider, client):
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool

    model = langchain_model(client, gateway, provider.route)
    tools = model.bind_tools([tool(get_weather)])
    for streamed in (False, True):

        def ask(turns):
            if not streamed:
                return tools.invoke(turns)
            whole = None
            for chunk in tools.stream(turns):
                whole = chunk if whole is None else whole + chunk
            return whole

        turns = [HumanMessage(ORDER)]
        answer = ask(turns)
        (call,) = answer.tool_calls
        turns += [answer, ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"], name=call["name"])]
        assert WEATHER in str(ask(turns).content)


@everywhere
@pytest.mark.parametrize("client", ["openai", "anthropic"])
def test_langchain_structured_output(gateway, provider, client):
    from pydantic import BaseModel

    class City(BaseModel):
        """A city."""

        name: str
        people: int

    model = langchain_model(client, gateway, provider.route)
    for method in ("function_calling", "json_schema"):
        answer = model.with_structured_output(City, method=method, include_raw=True).invoke("a city")
        assert isinstance(answer["parsed"], City), (method, answer)


@everywhere
def test_llamaindex(gateway, provider):
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.llms.openai_like import OpenAILike

    options = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 32_000, "max_retries": 0}
    llm = OpenAILike(model=provider.route, api_base=f"{gateway.url}/v1", api_key=gateway.key, **options)
    agent = FunctionAgent(tools=[get_weather], llm=llm)

    async def run():
        return await agent.run(user_msg=ORDER)

    assert WEATHER in str(asyncio.run(run()))


def pydantic_model(client: str, gateway, route: str):
    # Its client for Anthropic does not take the version of the SDK that LangChain needs.
    if client in ("openai", "responses"):
        from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        kind = OpenAIChatModel if client == "openai" else OpenAIResponsesModel
        return kind(route, provider=OpenAIProvider(base_url=f"{gateway.url}/v1", api_key=gateway.key))
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(route, provider=GoogleProvider(api_key=gateway.key, base_url=f"{gateway.url}/gemini"))


@everywhere
@pytest.mark.parametrize("client", ["openai", "responses", "google"])
def test_pydantic_ai(gateway, provider, client):
    from pydantic_ai import Agent

    async def run():
        agent = Agent(pydantic_model(client, gateway, provider.route), tools=[get_weather])
        plain = await agent.run(ORDER)
        async with agent.run_stream(ORDER) as streamed:
            return plain.output, await streamed.get_output()

    plain, streamed = asyncio.run(run())
    assert WEATHER in plain and WEATHER in streamed


@everywhere
@pytest.mark.parametrize("mode", ["TOOLS", "JSON", "JSON_SCHEMA"])
def test_instructor(gateway, provider, mode):
    import instructor
    import openai
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    if mode == "JSON":
        # The simulator's object for JSON without a schema has no such member.
        gateway.script(provider.model, [{"text": '{"name":"Paris"}'}, {}])
    asked = instructor.from_openai(client, mode=instructor.Mode[mode])
    city = asked.create(
        model=provider.route, response_model=City, max_retries=0, messages=[{"role": "user", "content": "a city"}]
    )
    assert isinstance(city, City)


@everywhere
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_openai_agents(gateway, provider, api):
    import agents as framework
    import openai

    framework.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    kind = framework.OpenAIChatCompletionsModel if api == "chat" else framework.OpenAIResponsesModel
    agent = framework.Agent(
        name="a", model=kind(provider.route, client), tools=[framework.function_tool(get_weather)]
    )
    result = asyncio.run(framework.Runner.run(agent, ORDER))
    assert WEATHER in result.final_output


@everywhere
def test_mem0(gateway, provider):
    """Its answers in JSON, from models that have no mode for it."""
    from mem0.configs.llms.openai import OpenAIConfig
    from mem0.llms.openai import OpenAILLM

    config = OpenAIConfig(model=provider.route, api_key=gateway.key, openai_base_url=f"{gateway.url}/v1")
    answer = OpenAILLM(config).generate_response(
        [{"role": "user", "content": "facts, in JSON"}], response_format={"type": "json_object"}
    )
    assert "facts" in answer
