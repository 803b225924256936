"""Settings of the test suite: the real ones, in a home folder of their own and deaf to the developer's environment."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from console.env import Env

_MEANT_FOR_TESTS = {"DATABASE_URL": "TEST_DATABASE_URL", "CELERY_BROKER_URL": "TEST_BROKER_URL"}
_DEAF = tuple(name.upper() for name in Env.model_fields)
_PREFIXES = (
    "AI_",
    "MARVIN_",
    "OPENAI_",
    "ANTHROPIC_",
    "GOOGLE_",
    "GEMINI_",
    "MISTRAL_",
    "GROQ_",
    "CO_",
    "AWS_",
    "HF_",
    "AZURE_",
    "OLLAMA_",
)

for _name in list(os.environ):
    if _name in _DEAF or (_name.startswith(_PREFIXES) and not _name.endswith("_CA_BUNDLE")):
        del os.environ[_name]

_HOME = tempfile.mkdtemp(prefix="console-test-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["CONSOLE_HOME"] = _HOME
os.environ["CONSOLE_ENV_FILE"] = os.devnull
os.environ["CELERY_BROKER_URL"] = "memory://"
for _name, _given in _MEANT_FOR_TESTS.items():
    if os.environ.get(_given):
        os.environ[_name] = os.environ[_given]

if os.environ["CELERY_BROKER_URL"].startswith("redis") and (_worker := os.environ.get("PYTEST_XDIST_WORKER")):
    # Suites that run side by side must not take each other's messages: gw1 uses the Redis database below gw0's.
    _server, _, _number = os.environ["CELERY_BROKER_URL"].rpartition("/")
    if not os.environ.get("TEST_BROKER_IS_MINE"):
        _number = str(int(_number or 15) - int(_worker.removeprefix("gw")))
        os.environ["TEST_BROKER_IS_MINE"] = "yes"
    os.environ["CELERY_BROKER_URL"] = os.environ["TEST_BROKER_URL"] = f"{_server}/{_number}"

# PostgreSQL waits for the disk at each commit. No test cuts the server's power; and processes that tests start hear it, too.
os.environ.setdefault("PGOPTIONS", "-c synchronous_commit=off")

from console.settings import *
from console.settings import DATABASES, SQLITE_OPTIONS

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, like the real one: threads and subprocesses of a test must see the same database.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_HOME, "test.sqlite3"))}
    DATABASES["default"]["OPTIONS"]["init_command"] = f"{SQLITE_OPTIONS['init_command']}; PRAGMA synchronous=OFF"

# A static file is looked for when it is asked for, instead of all of them by each test's client.
WHITENOISE_AUTOREFRESH = True
