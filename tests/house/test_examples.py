"""The README's Python runs as it stands."""

from __future__ import annotations

import re

import pytest

from tests.house.sizes import PROJECT

EXAMPLES = re.findall(r"^```python\n(.*?)^```", (PROJECT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def test_there_are_some() -> None:
    assert EXAMPLES


@pytest.mark.django_db
@pytest.mark.usefixtures("loop_for_marvin")
@pytest.mark.filterwarnings("ignore:`result` is deprecated, use `part` instead:DeprecationWarning:marvin")
@pytest.mark.filterwarnings("ignore:`Usage` is deprecated, use `RunUsage` instead:DeprecationWarning")
@pytest.mark.parametrize("code", EXAMPLES)
def test_it_runs(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own text
