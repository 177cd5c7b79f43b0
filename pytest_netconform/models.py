"""What every declared thing is made of: strict models that forbid unknown keys.

Importing this imports pydantic, which takes 80 ms; do it where a file is read, not where a plugin is loaded.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Base of what a suite, lab or waiver declares; `documents.validate` makes it from YAML."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)
