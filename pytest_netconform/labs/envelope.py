"""A lab file, as a pydantic model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from pytest_netconform.models import Model

Outcome = Literal["replied", "lost", "refused", "unreachable", "rejected"]


class ProbeModel(Model):
    """A probe of a lab."""

    model_config = ConfigDict(populate_by_name=False)

    source: str = Field(alias="from")
    to: str
    expected: Outcome = Field(default="replied", alias="is")
    size: int | None = None
    df: bool = False


class ProbeEntry(Model):
    """A probe by its kind."""

    ping: ProbeModel


class CauseModel(Model):
    """Where the evidence must lead to."""

    model_config = ConfigDict(populate_by_name=False)

    at: str
    id: str = Field(alias="is")


class LabModel(Model):
    """A lab file; its stages are validated entry by entry, so that all is told at once."""

    lab: str
    title: str
    story: str = ""
    severity: Literal["blocker", "critical", "normal", "minor", "trivial"] = "critical"
    refs: list[str] = []
    fabric: dict[str, Any]
    suites: list[Any] = Field(min_length=1)
    before: list[Any] = []
    healthy: list[Any] = Field(min_length=1)
    foreseen: dict[str, Any] = {}
    fault: list[Any] = Field(min_length=1)
    symptom: list[Any] = Field(min_length=1)
    detected: dict[str, Any] = Field(min_length=1)
    cause: Any = None
    fix: list[Any] = Field(min_length=1)
    leaves: list[Any] = []
    immune: bool = False
