"""The fixed part of a suite file, as pydantic models; what stands under a kind's name its kind compiles."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from pytest_netconform.documents import shown
from pytest_netconform.models import Model

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}


def seconds(value: object) -> object:
    """Read a duration such as 500ms, 5s or 2m."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|m)", value) if isinstance(value, str) else None
    if found and float(found[1]) > 0:
        return float(found[1]) * UNITS_S[found[2]]
    raise ValueError(f"expected a duration such as 500ms, 5s or 2m, got {shown(value)}")


Duration = Annotated[float, BeforeValidator(seconds)]
Severity = Literal["blocker", "critical", "normal", "minor", "trivial"]


class CheckModel(Model):
    """A check, less its kind."""

    model_config = ConfigDict(extra="ignore")

    title: str = ""
    severity: Severity = "normal"
    why: str = ""
    fix: str = ""
    refs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    eventually: Duration | None = None
    over: Duration | None = None
    place: Any = Field(default=None, alias="in")
    bindings: Any = Field(default=None, alias="for")
    or_none: bool = False


class SuiteModel(Model):
    """A suite file."""

    suite: str
    title: str | None = Field(default=None, min_length=1)
    when: Any = None
    vars: dict[str, Any] = {}
    place: Any = Field(default=None, alias="in")
    or_none: bool = False
    checks: dict[str, CheckModel]


CHECK_KEYS = tuple(field.alias or name for name, field in CheckModel.model_fields.items())
