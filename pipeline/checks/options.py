"""What a request may ask for beside its messages, how often it is asked, and what the model must be able to do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from pipeline.spec.parts import Part, Strings

CHOICES = ("none", "auto", "required")
FORMATS = ("text", "json_object", "json_schema")


class Tool(Part):
    """A function that the model may call, as the API declares it."""

    description: str | None = Field(default=None, description="What it does, for the model.")
    parameters: dict[str, Any] | None = Field(default=None, description="JSON Schema of its arguments.")
    strict: bool | None = Field(default=None, description="The API's `strict`.")


class Options(Part):
    """What a request asks for. A turn's options hold for that turn alone, in place of its case's."""

    tools: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        default=None, description="Tools on offer, by name or by pattern (`get_*`, `*`)."
    )
    tool_choice: str | None = Field(
        default=None,
        description="`none`, `auto`, `required`, or a tool's name, which goes out in the API's object form.",
    )
    parallel: bool | None = Field(default=None, description="The API's `parallel_tool_calls`.")
    max_tokens: int | None = Field(default=None, gt=0, description="The longest answer, in tokens.")
    stop: Strings | None = Field(default=None, description="Strings that end the answer.")
    response_format: dict[str, Any] | None = Field(default=None, description="The API's `response_format`.")
    template_kwargs: dict[str, Any] | None = Field(
        default=None, description="Variables for the chat template, for instance `{enable_thinking: false}`."
    )

    @field_validator("response_format")
    @classmethod
    def _known_format(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is None:
            return None
        if value.get("type") not in FORMATS:
            raise ValueError(f"type is one of {', '.join(FORMATS)}")
        if value["type"] == "json_schema" and not isinstance((value.get("json_schema") or {}).get("schema"), dict):
            raise ValueError("json_schema wants a schema: {type: json_schema, json_schema: {name: …, schema: {…}}}")
        return value

    def over(self, base: Options) -> Options:
        """Return these options, and those of ``base`` where these say nothing."""
        named = {name: value for name in Options.model_fields if (value := getattr(self, name)) is not None}
        return Options.model_construct(**{**{name: getattr(base, name) for name in Options.model_fields}, **named})


class Repeat(Part):
    """How often a case is asked. Every attempt is recorded."""

    greedy: int = Field(
        default=1, ge=1, le=100, description="So often at temperature 0, which shows that the answer can be repeated."
    )
    seeds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Once for each of so many seeds at the spec's sampling; none where that is greedy, since no seed would change it.",
    )


class Requires(Part):
    """What a model must be able to do for a case to apply. Where it is not, the case is skipped, with the reason."""

    tools: Literal[True] | None = Field(default=None, description="The template shows tools to the model.")
    parallel_calls: Literal[True] | None = Field(
        default=None, description="The template can write several calls in a turn."
    )
    reasoning: Literal[True] | None = Field(default=None, description="The template knows of reasoning.")
    reasoning_switch: Literal[True] | None = Field(
        default=None, description="The template variable `enable_thinking` changes the prompt."
    )
    context: int | None = Field(default=None, gt=0, description="Tokens of context that a request may take.")
