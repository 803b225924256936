"""What lies at the top of the project, and how its files are kept."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.house.sizes import PROJECT, oversized

FOLDERS = {"ai", "console", "fixtures", "templates", "tests"}
NOT_OURS = {"var", "build", "dist", "htmlcov", "test-results", "node_modules"}
TARGETS = ["install", "run", "test", "check", "fix", "bench", "lock", "screenshots", "contract-clients"]
LOCKS = ["requirements.lock", "requirements-dev.lock"]


def pinned(name: str) -> dict[str, str]:
    """The requirements of a lock: what is installed, with its condition, and the hashes beneath."""
    blocks = re.split(r"\n(?=\S)", (PROJECT / name).read_text().strip())
    return {block.split("\\")[0].strip(): block for block in blocks}


def test_there_is_no_other_folder_at_the_top() -> None:
    found = {
        path.name for path in PROJECT.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in NOT_OURS
    }

    assert {name for name in found if not name.endswith(".egg-info") and name != "__pycache__"} == FOLDERS


def test_no_file_has_grown_too_long() -> None:
    assert list(oversized()) == []


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_target(target: str) -> None:
    subprocess.run(["make", "-n", target], cwd=PROJECT, check=True, capture_output=True)


@pytest.mark.parametrize("name", [".ci/run", "manage.py"])
def test_the_script_can_be_executed(name: str) -> None:
    assert (PROJECT / name).stat().st_mode & 0o111


@pytest.mark.parametrize("name", LOCKS)
class TestLock:
    def test_names_no_place_to_download_from(self, name: str) -> None:
        text = (PROJECT / name).read_text()

        assert not re.search(r"://|index-url|find-links|trusted-host| @ ", text)

    def test_pins_everything_with_hashes(self, name: str) -> None:
        for requirement, block in pinned(name).items():
            assert re.match(r"^[a-z0-9][a-z0-9._-]*==\S+( ; .+)?$", requirement), requirement
            assert "--hash=sha256:" in block, requirement


def test_what_is_developed_with_is_what_is_run() -> None:
    assert set(pinned("requirements.lock")) <= set(pinned("requirements-dev.lock"))


def test_the_folder_links_to_nothing_outside() -> None:
    tracked = subprocess.run(["git", "ls-files", "-s"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout

    assert not [Path(line.split("\t")[1]) for line in tracked.splitlines() if line.startswith("120000")]
