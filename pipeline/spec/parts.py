"""What every part of a spec and of its kin is made of: names, digests, days, and the strict model."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
SHA256 = r"^sha256:[0-9a-f]{64}$"
DAY = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
SPAN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,4}d)$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256)]
CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
Strings = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(strict=False)]
Counts = Annotated[tuple[Annotated[int, Field(gt=0, le=10_000_000)], ...], Field(strict=False)]


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise PydanticCustomError("listed_twice", "{name} is listed twice", {"name": name})
    return names


def a_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("no_day", "there is no day {day}", {"day": text}) from None
    return text


Names = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(each_once)]
INT32 = 2**31 - 1


class Part(BaseModel):
    """Every part of a spec: unknown keys are errors, values are taken as written, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
