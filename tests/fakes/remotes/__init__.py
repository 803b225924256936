"""Servers of remote conversations that behave like the real ones, and fail when a test says so."""

from tests.fakes.remotes.server import Failure, RemoteServer
from tests.fakes.remotes.state import State

__all__ = ["Failure", "RemoteServer", "State"]
