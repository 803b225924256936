"""The environment, typed. `load()` reads it once and names everything that is wrong in one error."""

from __future__ import annotations

import os
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from console import mail

PROJECT = Path(__file__).resolve().parent.parent

LOOPBACK = ["127.0.0.1", "localhost", "[::1]"]
NEEDED_IN_PRODUCTION = {
    "SECRET_KEY": "a long random text that signs sessions; the same on every node",
    "ALLOWED_HOSTS": "the host names people open the console with, separated by commas",
    "AI_SECRETS_KEY": "a Fernet key that encrypts provider keys; the same on every node",
}

Words = Annotated[list[str], NoDecode]


class Env(BaseSettings):
    """Every environment variable of the console; the field `console_home` is CONSOLE_HOME.

    Variables that begin with `AI_` belong to the app: `ai.conf.Settings` lists them.
    """

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)

    console_home: Path = PROJECT / "var"
    """The folder that keeps the database, files, queue and generated secrets."""

    console_production: bool = False
    """Served to others: secrets must be given, cookies and pages go over HTTPS only."""

    console_admin_username: str = "admin"
    """The account that the first `make run` creates."""

    console_admin_password: str = Field(default="", repr=False)
    """Its password. Unset: a random one, printed once."""

    console_demo: bool = True
    """Load the demo conversations when the database is empty. Never in production."""

    host: str = "127.0.0.1"
    """The address `make run` listens on."""

    port: int = Field(default=8000, ge=1, le=65535)
    """The port `make run` listens on."""

    worker_concurrency: int = Field(default=8, ge=1)
    """How many tasks the worker of `make run` does at the same time."""

    debug: bool = False
    """Django's debug pages. Never in production."""

    secret_key: str = Field(default="", repr=False)
    """Signs sessions and forms. Unset: generated and kept in CONSOLE_HOME."""

    allowed_hosts: Words = []
    """Host names the console answers to. Unset: this computer only."""

    csrf_trusted_origins: Words = []
    """Origins, with scheme, that may post forms when a proxy changes the host name."""

    database_url: str = Field(default="", repr=False)
    """Unset: SQLite in CONSOLE_HOME."""

    database_pool_size: int = Field(default=0, ge=0)
    """PostgreSQL connections that each process keeps open; 0 opens one per request."""

    celery_broker_url: str = Field(default="", repr=False)
    """Redis or RabbitMQ. Unset: a queue of files in CONSOLE_HOME."""

    cache_url: str = Field(default="", repr=False)
    """Redis. Unset: the broker when that is Redis, else files in CONSOLE_HOME."""

    files_s3_bucket: str = ""
    """Keep uploaded files in this bucket. Unset: in CONSOLE_HOME."""

    files_s3_endpoint_url: str = ""
    """The address of an S3-compatible service other than Amazon's."""

    files_s3_region: str = ""
    """The bucket's region."""

    files_s3_prefix: str = ""
    """A folder inside the bucket."""

    email_url: str = Field(default="", repr=False)
    """The server that sends e-mail: smtp+tls://user:password@host:587, smtps:// or smtp://. Unset: no e-mail."""

    email_from: str = "Marvin Console <console@localhost>"
    """Whom e-mails come from."""

    hsts_seconds: int = Field(default=31_536_000, ge=0)
    """In production: how long browsers remember to use HTTPS."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    time_zone: str = "UTC"
    """The zone times are shown in."""

    language_code: str = "en-us"
    """The language of Django's own texts."""

    @field_validator("allowed_hosts", "csrf_trusted_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

    @field_validator("email_url")
    @classmethod
    def _known_server(cls, value: str) -> str:
        mail.options(value)
        return value

    @field_validator("email_from")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not parseaddr(value)[1] or not value.isprintable():
            raise ValueError("give an address, such as Marvin Console <console@example.com>")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError("give DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return value.upper()

    @field_validator("console_home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return (PROJECT / value.expanduser()).resolve()


def load() -> Env:
    """The environment, with the lines of `.env` (or of the file CONSOLE_ENV_FILE names) beneath it.

    Raises:
        ImproperlyConfigured: names every variable that is missing or wrong, all at once.
    """
    load_dotenv(os.environ.get("CONSOLE_ENV_FILE") or PROJECT / ".env", override=False)
    problems = []
    try:
        env = Env()
    except ValidationError as error:
        problems = [f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
    if os.environ.get("CONSOLE_PRODUCTION", "").lower() in {"1", "true", "yes", "on", "t", "y"}:
        problems += [
            f"{name}: missing; {what}" for name, what in NEEDED_IN_PRODUCTION.items() if not os.environ.get(name)
        ]
        if os.environ.get("DEBUG", "").lower() in {"1", "true", "yes", "on", "t", "y"}:
            problems.append("DEBUG: shows secrets to strangers; switch it off in production")
    if problems:
        raise ImproperlyConfigured("The environment is not complete:\n  " + "\n  ".join(problems))
    return env
