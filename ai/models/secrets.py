"""Secrets at rest: Fernet with rotation. The newest key encrypts, every key decrypts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai import conf
from ai.exceptions import Misconfigured

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def _fernet() -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    keys = conf.current().secrets_key
    if not keys:
        raise Misconfigured("Set AI_SECRETS_KEY to a Fernet key before storing keys of providers.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise Misconfigured("AI_SECRETS_KEY holds something that is no Fernet key.") from error


def encrypt(plain: str) -> str:
    """`plain` encrypted with the newest key; empty stays empty."""
    return _fernet().encrypt(plain.encode()).decode() if plain else ""


def decrypt(token: str) -> str:
    """What was encrypted.

    Raises:
        Misconfigured: no key in `AI_SECRETS_KEY` made this.
    """
    from cryptography.fernet import InvalidToken

    if not token:
        return ""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken:
        raise Misconfigured("A stored key cannot be read: no key in AI_SECRETS_KEY made it.") from None


def rotate(token: str) -> str:
    """The same secret under the newest key. Raises what `decrypt` raises."""
    return encrypt(decrypt(token))
