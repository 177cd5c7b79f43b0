"""Labs: known failures, rebuilt in namespaces, each proving that the suites catch it and that the fixes mend it."""

from __future__ import annotations

from pytest_netconform.labs.loading import LAB_SUFFIX, load_lab
from pytest_netconform.labs.model import Lab
from pytest_netconform.labs.running import STAGES, LabRun, StageFailed

__all__ = ["LAB_SUFFIX", "STAGES", "Lab", "LabRun", "StageFailed", "load_lab"]
