"""Secrets the console makes for itself once, and keeps in its home folder, readable by its owner alone."""

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path


def signing_key() -> str:
    """A new value for SECRET_KEY."""
    return secrets.token_urlsafe(64)


def fernet_key() -> str:
    """A new value for AI_SECRETS_KEY: 32 random bytes in URL-safe base64, as Fernet wants them."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`; made with `make` and written (mode 0600) when there is none.

    Two processes that start at the same moment get the same secret: the file appears complete, by a link, once.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
