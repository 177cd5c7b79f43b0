"""Lab files as pytest items. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_netconform.collect.items import STORY, LabError, LabFailed, NetconformItem
from pytest_netconform.documents.words import harmless_lines
from pytest_netconform.errors import DocumentError, NetconformError
from pytest_netconform.kernel.making import userns
from pytest_netconform.labs import Lab, LabRun, StageFailed, load_lab
from pytest_netconform.report import allure
from pytest_netconform.report.story import story

if TYPE_CHECKING:
    from pytest_netconform.collect.session import Run


class LabFile(pytest.File):
    """A `*.lab.yaml` file: one item."""

    run: Run

    def collect(self) -> Iterator[pytest.Item]:
        lab = load_lab(self.path, self.run.library.shown(self.path), self.run.library)
        yield LabItem.from_parent(self, name=lab.name, lab=lab)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:  # type: ignore[override]
        return (
            str(excinfo.value) if isinstance(excinfo.value, DocumentError) else super().repr_failure(excinfo)
        )


class LabItem(NetconformItem):
    """One lab."""

    def __init__(self, *, lab: Lab, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lab, self.line, self.title = lab, 1, lab.title
        self.mark(lab.name, lab.severity)
        if allure.is_on(self.config):
            allure.annotate(
                self,
                title=lab.title,
                suite="labs",
                feature=lab.name,
                severity=lab.severity,
                why=lab.story,
                fix="",
                refs=lab.refs,
            )

    def setup(self) -> None:
        if reason := userns.why_not():
            raise pytest.skip.Exception(f"a lab {reason}")

    def runtest(self) -> None:
        library = self.parent.run.library  # type: ignore[union-attr]
        withhold = self.config.getoption("netconform_withhold") or ""
        run = LabRun(self.lab, library, withhold)
        if allure.is_on(self.config):
            run.step = allure.step
        try:
            run.run()
        except StageFailed as failed:
            raise LabFailed(self.told(run, failed.stage, failed.lines)) from None
        except NetconformError as error:
            raise LabError(self.told(run, "", str(error).splitlines())) from None
        self.user_properties.append((STORY, story(self.lab, run.done, run.cause)))
        if withhold:
            nothing = [f"the lab is wrong: nothing fails without its {withhold}"]
            raise LabFailed(self.told(run, f"{withhold} withheld", run.wrong or nothing))

    def told(self, run: LabRun, stage: str, lines: Any) -> str:
        """Tell how far a lab came, and what was wrong then."""
        text = [f"{self.lab.file}:1 {self.lab.name}{f', {stage}' if stage else ''}"]
        text += [f"  {line}" for wrong in lines for line in str(wrong).splitlines()]
        text.append(f"  came out as it should: {', '.join(run.done) or 'no stage'}")
        return harmless_lines("\n".join(text))
