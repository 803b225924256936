"""Telling people what concerns them: in the console, by e-mail, or not at all, as each of them wants.

`tell` is what other services call, within their transaction.
"""

from ai.services.notifications.telling import tell, tell_named

__all__ = ["tell", "tell_named"]
