"""What the tests of suggested labels ask for."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def feedback_model(settings: Any) -> None:
    """The scripted model suggests labels."""
    settings.AI_FEEDBACK_MODEL = "scripted"
