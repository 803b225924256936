"""Telling people what concerns them: in the console, by e-mail, or not at all, as each of them wants.

`tell` is what other services call, within their transaction.
"""

from ai.services.notifications.telling import reword, tell, tell_named

__all__ = ["reword", "tell", "tell_named"]
