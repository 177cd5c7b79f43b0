"""Labs: known failures, rebuilt in namespaces; each proves that suites catch it, and that fixes mend it."""

from __future__ import annotations

from pytest_netconform.labs.expecting import StageFailed
from pytest_netconform.labs.loading import load_lab
from pytest_netconform.labs.model import Lab
from pytest_netconform.labs.running import LabRun

__all__ = ["Lab", "LabRun", "StageFailed", "load_lab"]
