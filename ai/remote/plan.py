"""What two versions of a conversation differ in, and what is to be done about it. Nothing here reads or writes.

What is new on one side, and what was changed on one side, goes to the other by itself. What was deleted on one side, or
changed on both, is a person's to decide: it becomes a `Dispute`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ai.models.conflicts import ConflictKind
from ai.models.syncs import SyncedMessage
from ai.remote import digests
from ai.remote.port import Json, RemoteMessage


@dataclass(frozen=True)
class Direction:
    """What may be written: `pull` here, `push` there."""

    pull: bool
    push: bool


DIRECTIONS = {"pull": Direction(True, False), "push": Direction(False, True), "both": Direction(True, True)}


@dataclass(frozen=True)
class Local:
    """A message of ours."""

    pk: UUID
    external_id: str
    message: Json
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digests.of(self.message))


@dataclass(frozen=True)
class Reading:
    """What was read of the remote, oldest first. `whole` is False where older messages were left unread."""

    messages: Sequence[RemoteMessage]
    whole: bool


@dataclass(frozen=True)
class Dispute:
    """A message for a person to decide on; None is a side that has none."""

    kind: ConflictKind
    external_id: str
    local: Local | None
    remote: RemoteMessage | None
    base: SyncedMessage | None


@dataclass
class Plan:
    """What is to be done, each list in the remote's or in our order."""

    add: list[RemoteMessage] = field(default_factory=list)
    link: list[tuple[Local, RemoteMessage]] = field(default_factory=list)
    rewrite: list[tuple[Local, RemoteMessage, SyncedMessage]] = field(default_factory=list)
    agree: list[tuple[SyncedMessage, str, str]] = field(default_factory=list)
    """Both sides are at these digests: the remote's, and ours."""
    arrived: list[tuple[SyncedMessage, RemoteMessage]] = field(default_factory=list)
    """Sent before, and found there now."""
    send: list[Local] = field(default_factory=list)
    edit: list[tuple[Local, RemoteMessage, SyncedMessage]] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    """Remote ids of messages that the sides agree about."""
    forget: list[SyncedMessage] = field(default_factory=list)
    known_sending: frozenset[int] = frozenset()
    """Rows of messages that were being sent when the sides were compared."""
    left_there: bool = False
    """Whether the remote has something that this direction does not fetch."""
    left_here: bool = False
    """Whether something here is not sent in this direction."""

    @property
    def is_behind(self) -> bool:
        """Whether the sides are not in step after it."""
        return self.left_there or self.left_here

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        lists = (self.add, self.link, self.rewrite, self.agree, self.arrived, self.send, self.edit, self.disputes)
        return not any(lists) and not self.forget


def make(
    *,
    base: Sequence[SyncedMessage],
    reading: Reading,
    local: Iterable[Local],
    direction: Direction,
    takes: Callable[[Json], bool] = bool,
    first: bool = False,
) -> Plan:
    """Compare what both sides have now with what they had at the last sync.

    Args:
        takes: whether the remote can have a message of ours.
        first: the remote was never read to its end; then what both sides say alike is taken for the same message.
    """
    return _Comparison(base, reading, local, direction, takes, first).plan()


class _Comparison:
    def __init__(
        self,
        base: Sequence[SyncedMessage],
        reading: Reading,
        local: Iterable[Local],
        direction: Direction,
        takes: Callable[[Json], bool],
        first: bool,
    ) -> None:
        self._reading, self._direction, self._takes, self._first = reading, direction, takes, first
        self._local = {each.pk: each for each in local}
        self._known = {row.external_id: row for row in base if row.external_id}
        self._rows = list(self._known.values())
        self._sending = [row for row in base if not row.external_id]
        taken = {row.message_id for row in base}
        self._loose = {pk: each for pk, each in self._local.items() if pk not in taken}
        self._by_external_id = {each.external_id: each for each in self._loose.values() if each.external_id}
        strangers = (each for each in self._loose.values() if not each.external_id)
        self._alike = self._by_words(strangers) if first else {}
        self._arriving = self._by_words(
            self._local[row.message_id] for row in self._sending if row.message_id in self._local
        )
        self._plan = Plan(known_sending=frozenset(row.pk for row in self._sending))

    @staticmethod
    def _by_words(messages: Iterable[Local]) -> dict[str, list[Local]]:
        found: dict[str, list[Local]] = {}
        for each in messages:
            found.setdefault(digests.of_words(each.message), []).append(each)
        return found

    def plan(self) -> Plan:
        """Look at each message once."""
        for message in self._reading.messages:
            row = self._known.get(message.id)
            if row is None:
                self._new_there(message)
            else:
                self._known_there(row, message)
        for row in self._unseen():
            self._gone_there(row)
        self._plan.forget += [row for row in self._sending if row.message_id not in self._local]
        self._new_here()
        return self._plan

    # -- The remote's messages
    def _new_there(self, message: RemoteMessage) -> None:
        known = self._by_external_id.get(message.id)
        if known is not None:
            self._loose.pop(known.pk)
            self._meet(known, message)
        elif (row := self._was_sent(message)) is not None:
            self._plan.arrived.append((row, message))
        elif (alike := self._is_alike(message)) is not None:
            self._loose.pop(alike.pk)
            self._plan.link.append((alike, message))
        elif self._direction.pull:
            self._plan.add.append(message)
        else:
            self._plan.left_there = True

    def _meet(self, local: Local, message: RemoteMessage) -> None:
        """Both sides have it under one id, and it was never synced."""
        if digests.of_words(local.message) == digests.of_words(message.message):
            self._plan.link.append((local, message))
        else:
            self._plan.disputes.append(Dispute(ConflictKind.DIFFERS, message.id, local, message, None))

    def _was_sent(self, message: RemoteMessage) -> SyncedMessage | None:
        waiting = self._arriving.get(digests.of_words(message.message)) if self._arriving else None
        if not waiting:
            return None
        local = waiting.pop(0)
        row = next(row for row in self._sending if row.message_id == local.pk)
        self._sending.remove(row)
        return row

    def _is_alike(self, message: RemoteMessage) -> Local | None:
        alike = self._alike.get(digests.of_words(message.message)) if self._alike else None
        while alike:
            local = alike.pop(0)
            if local.pk in self._loose:
                return local
        return None

    def _known_there(self, row: SyncedMessage, message: RemoteMessage) -> None:
        local = self._local.get(row.message_id)
        if local is None:
            self._gone_here(row, message)
            return
        changed_there = message.digest != row.remote_digest
        changed_here = local.digest != row.local_digest
        if not changed_there and not changed_here:
            self._plan.settled.append(message.id)
        elif local.digest == message.digest:
            self._plan.agree.append((row, message.digest, local.digest))
            self._plan.settled.append(message.id)
        elif changed_there and changed_here:
            self._plan.disputes.append(Dispute(ConflictKind.EDITED_BOTH, message.id, local, message, row))
        elif changed_there:
            self._edited_there(row, local, message)
        else:
            self._edited_here(row, local, message)

    def _edited_there(self, row: SyncedMessage, local: Local, message: RemoteMessage) -> None:
        if self._direction.pull:
            self._plan.rewrite.append((local, message, row))
        else:
            self._plan.left_there = True

    def _edited_here(self, row: SyncedMessage, local: Local, message: RemoteMessage) -> None:
        if self._direction.push:
            self._plan.edit.append((local, message, row))
        else:
            self._plan.left_here = True

    def _gone_here(self, row: SyncedMessage, message: RemoteMessage) -> None:
        """Deleted here. Where somebody decided to leave it so, both digests say that."""
        if row.local_digest == "" and row.remote_digest == message.digest:
            self._plan.settled.append(message.id)
        else:
            self._plan.disputes.append(Dispute(ConflictKind.DELETED_HERE, message.id, None, message, row))

    # -- What the remote has no more
    def _unseen(self) -> list[SyncedMessage]:
        """Rows of messages that should have been read and were not."""
        seen = {message.id for message in self._reading.messages}
        seen.update(part for message in self._reading.messages for part in message.parts)
        if self._first:
            return []
        if self._reading.whole:
            return [row for row in self._rows if row.external_id not in seen]
        first = next((number for number, row in enumerate(self._rows) if row.external_id in seen), len(self._rows))
        return [row for row in self._rows[first:] if row.external_id not in seen]

    def _gone_there(self, row: SyncedMessage) -> None:
        local = self._local.get(row.message_id)
        if local is None:
            self._plan.forget.append(row)
            self._plan.settled.append(str(row.external_id))
        elif row.remote_digest == "" and row.local_digest == local.digest:
            self._plan.settled.append(str(row.external_id))
        else:
            kind = ConflictKind.DELETED_THERE
            self._plan.disputes.append(Dispute(kind, str(row.external_id), local, None, row))

    # -- Our messages
    def _new_here(self) -> None:
        """What was never sent, and what was to be sent when a worker died before it was."""
        unsent = {row.message_id for row in self._sending}
        wanted = [each for pk, each in self._local.items() if pk in self._loose or pk in unsent]
        sendable = [each for each in wanted if self._takes(each.message)]
        if self._direction.push:
            self._plan.send = sendable
        else:
            self._plan.left_here |= bool(sendable)
