"""
Everything that can go wrong and that a person can do something about.

AIError
├── InvalidInput          400  what was sent cannot be used
│   └── UnsupportedByModel     this model cannot do what was asked
├── Unauthenticated       401  nobody knows who is asking
├── Forbidden             403  the acting person may not do this
├── NotFound              404  no such thing for this tenant
├── Conflict              409  the thing is in the wrong state
│   ├── ChangedMeanwhile       somebody else changed it since you looked
│   ├── RunNotActive           the run has already ended
│   ├── LeaseLost              another worker has taken the run over
│   └── ThreadBusy             the thread has an active run
├── TooLarge              413  a file is over the limit
├── RateLimited           429  too many requests in a minute
├── ModelError            502  the language model failed
├── RemoteError           502  the remote side of a thread failed
│   ├── RemoteMissing          it has no such thing
│   └── RemoteRefused          it does not take this, or not from us
├── OutsideTenant         500  a query ran outside any tenant's scope
└── Misconfigured         500  a setting or a package is missing

Doors translate these: the API into its error envelope, the admin into a message. Anything else is a bug.
"""

from __future__ import annotations

import inspect


class AIError(Exception):
    """Something went wrong."""

    status = 500

    def __init__(self, message: str = "", *, param: str | None = None, code: str | None = None) -> None:
        """`param` names the field of the request that is wrong, `code` is one of the API's error codes."""
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        self.param, self.error_code = param, code
        super().__init__(self.message)


class InvalidInput(AIError):
    """What was sent cannot be used; correct it and send it again."""

    status = 400


class UnsupportedByModel(InvalidInput):
    """This model cannot do what was asked; choose another model or another setting."""


class Unauthenticated(AIError):
    """Nobody with this key is known here; ask an administrator for a key."""

    status = 401


class Forbidden(AIError):
    """You do not have the permission for this; ask an administrator for it."""

    status = 403


class NotFound(AIError):
    """There is no such thing here; it may have been deleted, or belong to another tenant."""

    status = 404


class Conflict(AIError):
    """The thing is in a state that does not allow this; reload and look again."""

    status = 409


class ChangedMeanwhile(Conflict):
    """Somebody else changed it since you looked; look at it again."""


class RunNotActive(Conflict):
    """The run has already ended."""


class LeaseLost(Conflict):
    """Another worker has taken this run over; this worker's result was dropped."""


class ThreadBusy(Conflict):
    """The thread has an active run; wait until it ends, or cancel it."""


class TooLarge(AIError):
    """The file is larger than this installation accepts; send a smaller one."""

    status = 413


class RateLimited(AIError):
    """There were too many requests; wait a little, then go on."""

    status = 429

    def __init__(self, message: str = "", *, retry_after: float, headers: dict[str, str] | None = None) -> None:
        """`retry_after` is in seconds; `headers` tell a client what is left."""
        super().__init__(message, code="rate_limit_exceeded")
        self.retry_after, self.headers = retry_after, headers or {}


class ModelError(AIError):
    """The language model failed."""

    status = 502

    #: Every `code` a failed run can carry.
    CODES = (
        "rate_limit_exceeded",
        "server_error",
        "invalid_prompt",
        "context_length_exceeded",
        "authentication_failed",
        "model_not_found",
        "timeout",
    )

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "server_error",
        retry_after: float | None = None,
        retryable: bool = False,
    ) -> None:
        """`retry_after` is in seconds, as the vendor asked; `retryable` says whether trying again can help."""
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.retryable = retryable


class RemoteError(AIError):
    """The server of the remote side failed, or could not be reached; try again later."""

    status = 502


class RemoteMissing(RemoteError):
    """The remote side has no such thing; it was deleted there, or never existed."""


class RemoteRefused(RemoteError):
    """The remote side does not take this; see what it said."""


class OutsideTenant(AIError):
    """A query ran outside any tenant's scope; wrap it in `ai.tenancy.scope(tenant_id)`."""


class Misconfigured(AIError):
    """The installation lacks something; see the message, then the README's settings."""
