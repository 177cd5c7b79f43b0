"""The reference names every key that files may have."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from pytest_netconform.checks.registry import kinds
from pytest_netconform.errors import NetconformError
from pytest_netconform.explain.causes import RULES
from pytest_netconform.fabrics import kinds as fabrics
from pytest_netconform.labs.envelope import CauseModel, LabModel, ProbeModel
from pytest_netconform.report.listing import listing
from pytest_netconform.suites.envelope import CheckModel, SuiteModel

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()


@pytest.mark.parametrize("model", [SuiteModel, CheckModel, LabModel, ProbeModel, CauseModel])
def test_it_has_every_key(model: type[BaseModel]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert not [key for key in keys if f"`{key}" not in REFERENCE and f"{key}:" not in REFERENCE]


def test_it_has_every_fabric_with_its_options_and_every_cause() -> None:
    for name, kind in fabrics().items():
        assert f"kind: {name}" in REFERENCE
        assert not [option for option in kind.options if f"`{option}`" not in REFERENCE]
    assert not [cause for cause in RULES if f"`{cause}`" not in REFERENCE]


@pytest.mark.parametrize("name", kinds())
def test_every_kind_has_a_page_with_its_yaml_and_its_fields(name: str) -> None:
    page = listing([name])
    assert "```yaml" in page
    assert "Passes where" in page
    assert "Fields: " in page


def test_an_unknown_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(NetconformError, match="did you mean 'link'"):
        listing(["lnik"])
