"""What each client can do with a served model; run by an environment that has the clients and nothing of Assay.

Reads ``ASSAY_URL``, ``ASSAY_MODEL``, ``ASSAY_ENCODER``, ``ASSAY_API_KEY`` and ``ASSAY_LLM_CONFIG``, prints a JSON list of rows. A check
ends well, or raises; what the server refuses with an error that the client knows is ``refused``, everything else ``no``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

URL, MODEL, ENCODER, KEY = (os.environ.get(f"ASSAY_{name}", "") for name in ("URL", "MODEL", "ENCODER", "API_KEY"))
V1 = f"{URL}/v1"
HELLO = [{"role": "user", "content": "Hello!"}]
WEATHER = [{"role": "user", "content": "What is the weather in Lisbon?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "Get the weather of a city.", "parameters": PARAMETERS}
TOOL = {"type": "function", "function": FUNCTION}
CITIES = ("Lisbon", "Porto")  # a small model would write on and on where any text is allowed
PLACE = {"type": "object", "properties": {"city": {"type": "string", "enum": [*CITIES]}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": PLACE}}
BRIEF: dict[str, Any] = {"temperature": 0, "max_tokens": 48}
FEATURES = ("chat", "stream", "tools", "structured output", "embeddings", "wrong key", "wrong model")


class Refused(Exception):
    """The server said no, and the client told it as an error of its own."""


def refused(call: Callable[[], Any], *errors: type[BaseException]) -> str:
    """Return how a call is refused. Raises AssertionError where it is not, or the error is not one of these."""
    try:
        call()
    except errors as error:
        return type(error).__name__
    raise AssertionError("it was answered")


def city(text: str | dict[str, Any]) -> None:
    """Assert that arguments are those of the tool."""
    found = json.loads(text) if isinstance(text, str) else text
    assert set(found) == {"city"}, found


def place() -> Any:
    """Return what the answer must be, as a model of pydantic."""
    from pydantic import BaseModel

    class Place(BaseModel):
        city: Literal["Lisbon", "Porto"]

    return Place


class OpenAI:
    """The OpenAI library."""

    package = "openai"

    def client(self, key: str = KEY) -> Any:
        from openai import OpenAI

        return OpenAI(base_url=V1, api_key=key, max_retries=0)

    def chat(self) -> None:
        said = self.client().chat.completions.create(model=MODEL, messages=HELLO, **BRIEF)
        assert said.choices[0].message.content
        assert said.usage.completion_tokens

    def stream(self) -> None:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(self.client().chat.completions.create(model=MODEL, messages=HELLO, **options, **BRIEF))
        assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 1
        assert chunks[-1].usage.completion_tokens

    def tools(self) -> None:
        said = self.client().chat.completions.create(model=MODEL, messages=WEATHER, tools=[TOOL], **BRIEF)
        city(said.choices[0].message.tool_calls[0].function.arguments)

    def structured_output(self) -> None:
        said = self.client().chat.completions.parse(model=MODEL, messages=WEATHER, response_format=place(), **BRIEF)
        assert said.choices[0].message.parsed.city

    def embeddings(self) -> None:
        from openai import APIStatusError

        try:
            assert self.client().embeddings.create(model=ENCODER, input="Hello!").data[0].embedding
        except APIStatusError as error:
            raise Refused(f"{error.status_code}: {_message(error)}") from None

    def wrong_key(self) -> str:
        from openai import AuthenticationError

        return refused(
            lambda: self.client("wrong").chat.completions.create(model=MODEL, messages=HELLO), AuthenticationError
        )

    def wrong_model(self) -> str:
        from openai import NotFoundError

        return refused(
            lambda: self.client().chat.completions.create(model="gone", messages=HELLO, **BRIEF), NotFoundError
        )


class Anthropic:
    """The Anthropic library; it has no embeddings, and gives structure by a tool."""

    package = "anthropic"
    tool: ClassVar[dict[str, Any]] = {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "input_schema": PARAMETERS,
    }

    def ask(self, key: str = KEY, model: str = MODEL, messages: Any = HELLO, **more: Any) -> Any:
        from anthropic import Anthropic

        options = {"max_tokens": 48, **more}
        client = Anthropic(base_url=URL, api_key=key, max_retries=0)
        return client.messages.create(model=model, messages=messages, **options)

    def chat(self) -> None:
        said = self.ask()
        assert said.content[0].text
        assert said.usage.output_tokens

    def stream(self) -> None:
        kinds = [event.type for event in self.ask(stream=True)]
        assert kinds.count("content_block_delta") > 1
        assert kinds[-1] == "message_stop"

    def tools(self) -> None:
        said = self.ask(messages=WEATHER, tools=[self.tool])
        city(next(block.input for block in said.content if block.type == "tool_use"))

    structured_output = embeddings = None

    def wrong_key(self) -> str:
        from anthropic import AuthenticationError

        return refused(lambda: self.ask(key="wrong"), AuthenticationError)

    def wrong_model(self) -> str:
        from anthropic import NotFoundError

        return refused(lambda: self.ask(model="gone"), NotFoundError)


class LangChain:
    """LangChain's chat model for OpenAI."""

    package = "langchain-openai"

    def client(self, key: str = KEY, model: str = MODEL) -> Any:
        from langchain_openai import ChatOpenAI

        options = {"max_retries": 0, "use_responses_api": False}
        return ChatOpenAI(base_url=V1, api_key=key, model=model, **BRIEF, **options)

    def chat(self) -> None:
        assert self.client().invoke("Hello!").content

    def stream(self) -> None:
        assert sum(bool(chunk.content) for chunk in self.client().stream("Hello!")) > 1

    def tools(self) -> None:
        (call,) = self.client().bind_tools([TOOL]).invoke(WEATHER).tool_calls
        city(call["args"])

    def structured_output(self) -> None:
        schema = {"title": "place", **PLACE}
        city(self.client().with_structured_output(schema, method="json_schema").invoke(WEATHER))

    def embeddings(self) -> None:
        from langchain_openai import OpenAIEmbeddings
        from openai import APIStatusError

        made = OpenAIEmbeddings(
            base_url=V1, api_key=KEY, model=ENCODER, check_embedding_ctx_length=False, max_retries=0
        )
        try:
            assert made.embed_query("Hello!")
        except APIStatusError as error:
            raise Refused(f"{error.status_code}: {_message(error)}") from None

    def wrong_key(self) -> str:
        from openai import AuthenticationError

        return refused(lambda: self.client(key="wrong").invoke("Hello!"), AuthenticationError)

    def wrong_model(self) -> str:
        from openai import NotFoundError

        return refused(lambda: self.client(model="gone").invoke("Hello!"), NotFoundError)


class LiteLLM:
    """LiteLLM's library, as its proxy uses it."""

    package = "litellm"

    def ask(self, key: str = KEY, model: str = MODEL, messages: Any = HELLO, **more: Any) -> Any:
        import litellm

        options = {"api_base": V1, "api_key": key, "num_retries": 0, "max_retries": 0, **BRIEF, **more}
        return litellm.completion(model=f"openai/{model}", messages=messages, **options)

    def chat(self) -> None:
        assert self.ask().choices[0].message.content

    def stream(self) -> None:
        assert sum(bool(chunk.choices[0].delta.content) for chunk in self.ask(stream=True)) > 1

    def tools(self) -> None:
        city(self.ask(messages=WEATHER, tools=[TOOL]).choices[0].message.tool_calls[0].function.arguments)

    def structured_output(self) -> None:
        city(self.ask(messages=WEATHER, response_format=FORMAT).choices[0].message.content)

    def embeddings(self) -> None:
        import litellm
        from openai import APIError

        try:
            assert litellm.embedding(
                model=f"openai/{ENCODER}", input=["Hello!"], api_base=V1, api_key=KEY, max_retries=0
            ).data
        except APIError as error:
            raise Refused(f"{getattr(error, 'status_code', '')}: {_message(error)}") from None

    def wrong_key(self) -> str:
        import litellm

        return refused(lambda: self.ask(key="wrong"), litellm.AuthenticationError)

    def wrong_model(self) -> str:
        import litellm

        return refused(lambda: self.ask(model="gone"), litellm.NotFoundError)


class LlamaIndex:
    """LlamaIndex's model for servers like OpenAI's."""

    package = "llama-index-llms-openai-like"

    def client(self, key: str = KEY, model: str = MODEL) -> Any:
        from llama_index.llms.openai_like import OpenAILike

        kind = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 4096, "max_retries": 0}
        return OpenAILike(api_base=V1, api_key=key, model=model, **kind, **BRIEF)

    def chat(self) -> None:
        assert str(self.client().complete("Hello!"))

    def stream(self) -> None:
        assert sum(bool(chunk.delta) for chunk in self.client().stream_complete("Hello!")) > 1

    def tools(self) -> None:
        from llama_index.core.tools import FunctionTool

        def get_weather(city: str) -> str:
            """Get the weather of a city."""
            return city

        tool = FunctionTool.from_defaults(get_weather)
        said = self.client().chat_with_tools([tool], user_msg=WEATHER[0]["content"])
        (call,) = self.client().get_tool_calls_from_response(said)
        city(call.tool_kwargs)

    def structured_output(self) -> None:
        from llama_index.core.prompts import PromptTemplate

        options = {"should_use_structured_outputs": True}
        client = self.client()
        client = (
            client.model_copy(update=options)
            if "should_use_structured_outputs" in type(client).model_fields
            else client
        )
        said = client.structured_predict(place(), PromptTemplate(WEATHER[0]["content"]))
        assert said.city

    def embeddings(self) -> None:
        from llama_index.embeddings.openai_like import OpenAILikeEmbedding
        from openai import APIStatusError

        try:
            assert OpenAILikeEmbedding(model_name=ENCODER, api_base=V1, api_key=KEY, max_retries=0).get_text_embedding(
                "Hello!"
            )
        except APIStatusError as error:
            raise Refused(f"{error.status_code}: {_message(error)}") from None

    def wrong_key(self) -> str:
        from openai import AuthenticationError

        return refused(lambda: self.client(key="wrong").complete("Hello!"), AuthenticationError)

    def wrong_model(self) -> str:
        from openai import NotFoundError

        return refused(lambda: self.client(model="gone").complete("Hello!"), NotFoundError)


class Llm:
    """The command line of ``llm``, with the configuration that ``assay connect llm`` prints (``ASSAY_LLM_CONFIG``)."""

    package = "llm"

    def ask(self, *options: str, key: str = KEY, model: str = MODEL.partition("@")[0]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            place.joinpath("extra-openai-models.yaml").write_text(os.environ["ASSAY_LLM_CONFIG"])
            place.joinpath("keys.json").write_text(json.dumps({"assay": key}))
            command = [sys.executable, "-m", "llm", "-m", model, "--no-log", *options]
            limits = ["-o", "temperature", "0", "-o", "max_tokens", "48"]
            environment = {**os.environ, "LLM_USER_PATH": folder}
            done = subprocess.run([*command, *limits], env=environment, capture_output=True, text=True, timeout=60)
            if done.returncode:
                raise Refused(done.stderr.strip().splitlines()[-1])
            return done.stderr if "--td" in options else done.stdout

    def chat(self) -> None:
        assert self.ask("--no-stream", "Hello!").strip()

    def stream(self) -> None:
        assert self.ask("Hello!").strip()

    def tools(self) -> None:
        code = "def get_weather(city: str) -> str:\n    'Get the weather of a city.'\n    return city\n"
        said = self.ask("--functions", code, "--td", "--no-stream", WEATHER[0]["content"])
        assert "Tool call: get_weather({'city'" in said, said

    def structured_output(self) -> None:
        city(self.ask("--schema", json.dumps(PLACE), "--no-stream", WEATHER[0]["content"]))

    embeddings = None

    def wrong_key(self) -> str:
        return refused(lambda: self.ask("--no-stream", "Hello!", key="wrong"), Refused)

    wrong_model = None


CLIENTS = (OpenAI, Anthropic, LangChain, LiteLLM, LlamaIndex, Llm)


def _message(error: Exception) -> str:
    body = getattr(error, "body", None)
    return str(body.get("message") if isinstance(body, dict) else error)[:120]


def row(client: Any, feature: str) -> dict[str, str]:
    """Return how one check ended."""
    check = getattr(client, feature.replace(" ", "_"))
    verdict, said = "yes", ""
    try:
        if check is None:
            verdict, said = "none", "the client has no such thing"
        else:
            said = check() or ""
    except Refused as error:
        verdict, said = "refused", str(error)
    except Exception as error:
        verdict, said = "no", f"{type(error).__name__}: {error}"[:300]
    return {
        "client": client.package,
        "version": version(client.package),
        "feature": feature,
        "verdict": verdict,
        "said": said,
    }


def main() -> None:
    """Run all checks."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    print(json.dumps([row(kind(), feature) for kind in CLIENTS for feature in FEATURES], indent=1))


if __name__ == "__main__":
    main()
