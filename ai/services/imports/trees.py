"""Conversations with branches: the way that is shown is the thread, and each other way to an end is a fork of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tree:
    """Nodes by id, each with the id of its parent, in the dump's order; parents that are not there end the way."""

    parents: Mapping[str, str | None]
    children: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, list[str]] = defaultdict(list)
        for node, parent in self.parents.items():
            if parent in self.parents and parent is not None:
                found[parent].append(node)
        self.children = found

    def way_to(self, node: str | None) -> list[str]:
        """The nodes from the beginning to this one; where they go in a circle, each of them once."""
        way: dict[str, None] = {}
        while node is not None and node in self.parents and node not in way:
            way[node] = None
            node = self.parents[node]
        return list(reversed(way))

    def leaves(self) -> list[str]:
        """The nodes without children."""
        return [node for node in self.parents if not self.children.get(node)]

    def latest(self) -> str | None:
        """The leaf that is reached by going to the last child again and again; None in an empty tree."""
        roots = [node for node, parent in self.parents.items() if parent is None or parent not in self.parents]
        node = roots[-1] if roots else next(iter(self.parents), None)
        met = set()
        while node is not None and node not in met:
            met.add(node)
            following = self.children.get(node)
            node = following[-1] if following else node
        return node


@dataclass(frozen=True, slots=True)
class Branch:
    """One way through a tree: the nodes that are shown, in order, and the one it ends with."""

    end: str
    nodes: list[str]


def branches(tree: Tree, current: str | None, shown: Iterable[str]) -> list[Branch]:
    """The way to `current` first, then every other way that ends differently; of each way the nodes that are `shown`.

    A way that shows nothing but the beginning of another one is left out.
    """
    visible = set(shown)
    ends = [current if current in tree.parents else tree.latest(), *tree.leaves()]
    ways = [(end, [node for node in tree.way_to(end) if node in visible]) for end in dict.fromkeys(ends) if end]
    if not ways:
        return []
    first = Branch(*ways[0])
    taken: set[str] = set(first.nodes)
    return [first, *_others(ways[1:], taken)]


def _others(ways: Sequence[tuple[str, list[str]]], taken: set[str]) -> Iterator[Branch]:
    """Those of the ways that lead to something new, the longest first, in the order of the dump."""
    found = []
    for place, (_end, nodes) in sorted(enumerate(ways), key=lambda way: -len(way[1][1])):
        if nodes and nodes[-1] not in taken:
            taken.update(nodes)
            found.append((place, Branch(nodes[-1], nodes)))
    return (branch for _, branch in sorted(found, key=lambda each: each[0]))
