"""The README and the example environment name every setting."""

from dataclasses import fields

import pytest

from ai.conf import Settings
from console.env import NEEDED_IN_PRODUCTION, Env
from tests.house.sizes import PROJECT

CONSOLE = [name.upper() for name in Env.model_fields]
NOT_FOR_THE_ENVIRONMENT = {"AI_CELERY_APP"}
APP = sorted({f"AI_{field.name.upper()}" for field in fields(Settings)} - NOT_FOR_THE_ENVIRONMENT)


@pytest.mark.parametrize("name", [*CONSOLE, *APP])
@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_the_setting_is_documented(document: str, name: str) -> None:
    text = (PROJECT / document).read_text()

    assert f"`{name}`" in text or f"{name}=" in text


def test_the_console_keeps_to_its_names() -> None:
    assert set(NEEDED_IN_PRODUCTION) <= {*CONSOLE, *APP}
    assert not [name for name in CONSOLE if name.startswith("AI_")]
