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
    """A lab file."""

    lab: str
    title: str
    story: str = ""
    severity: Literal["blocker", "critical", "normal", "minor", "trivial"] = "critical"
    refs: list[str] = []
    fabric: dict[str, Any]
    suites: list[str]
    before: list[dict[str, str]] = []
    healthy: list[ProbeEntry] = Field(min_length=1)
    foreseen: dict[str, list[str]] = {}
    fault: list[dict[str, str]] = Field(min_length=1)
    symptom: list[ProbeEntry] = Field(min_length=1)
    detected: dict[str, list[str]] = Field(min_length=1)
    cause: CauseModel | None = None
    fix: list[dict[str, str]] = Field(min_length=1)
    leaves: list[dict[str, str]] = []
    immune: bool = False
