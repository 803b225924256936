"""How tests are shared out: long ones first, as a worker that begins one last would leave the others waiting for it."""

from __future__ import annotations

import os

import pytest

#: Who may take longer than this, in seconds, is long.
LONG = 60


def _is_long(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("timeout")
    return bool(mark and mark.args and mark.args[0] >= LONG)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: the tests that kill processes mostly wait for others to start."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After all that shuffles and groups; what belongs together stays together."""
    long = {item.nodeid.partition("::")[0] for item in items if _is_long(item)}
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in long)
