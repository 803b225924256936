"""From a conversation with branches to drafts: the way that is shown is the thread, the others are forks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ai.services.imports import fields, trees
from ai.services.imports.drafts import Json, MessageDraft, ThreadDraft, Unusable
from ai.services.imports.trees import Branch, Tree

#: Branches share their beginnings, and a fork has messages of its own: a small file could ask for far too many.
MOST_COPIES = 100_000


@dataclass(frozen=True, slots=True)
class Said:
    """A message, what is known about it, and when it was written, where that is known."""

    message: Json
    data: Json = field(default_factory=dict)
    at: datetime | None = None


#: Makes the messages of one branch, node by node: most nodes are one, some are several, some none.
Line = Callable[[str], Iterable[Said]]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a dump knows of a conversation. `shown` are the nodes that people see; `line` begins the messages of a branch."""

    id: str
    place: str
    at: datetime
    parents: Mapping[str, str | None]
    shown: Iterable[str]
    line: Callable[[], Line]
    current: str | None = None
    last_at: datetime | None = None
    title: str = ""
    user_id: str | None = None
    tags: list[str] | None = None
    metadata: Json = field(default_factory=dict)

    def drafts(self) -> list[ThreadDraft]:
        """The thread that is shown, and a fork of it for every other branch.

        Raises:
            Unusable: together they hold more than 100,000 messages.
        """
        tree = Tree(self.parents)
        found = trees.branches(tree, self.current, self.shown) or [Branch("", [])]
        if sum(len(branch.nodes) for branch in found) > MOST_COPIES:
            raise Unusable(
                f"Its branches hold more than {MOST_COPIES:,} messages, those that they share counted for each."
            )
        return [self._draft(branch, tree, is_fork=number > 0) for number, branch in enumerate(found)]

    def _draft(self, branch: Branch, tree: Tree, *, is_fork: bool) -> ThreadDraft:
        own = f"{self.id}/{fields.as_identity(branch.end)}" if is_fork else self.id
        messages = self._messages(own, tree.way_to(branch.end))
        models = [str(message.data["model"]) for message in messages if message.data and message.data.get("model")]
        return ThreadDraft(
            id=own,
            place=self.place,
            at=self.at,
            last_at=None if is_fork else self.last_at,
            title=self.title,
            data={"metadata": fields.metadata({"metadata": self.metadata})},
            external_id=None if is_fork else self.id,
            forked_from=self.id if is_fork else None,
            user_id=self.user_id,
            tags=self.tags,
            model=models[-1][:255] if models else "",
            messages=messages,
        )

    def _messages(self, thread_id: str, way: list[str]) -> list[MessageDraft]:
        line, at, found = self.line(), self.at, []
        for node in way:
            for number, said in enumerate(line(node)):
                at = said.at or at
                name = fields.as_identity(node) if not number else f"{fields.as_identity(node)}.{number}"
                found.append(
                    MessageDraft(
                        id=f"{thread_id}/{name}",
                        place=f"{self.place} message {name}",
                        at=at,
                        message=said.message,
                        external_id=name,
                        data=said.data or None,
                    )
                )
        return found
