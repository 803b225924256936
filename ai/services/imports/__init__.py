"""Bringing conversations in from dumps of other systems.

`sources` gives what a path holds as JSON, piece by piece. A *reader* for each format makes drafts of it (`drafts`), and
`loading` has them written: `assistants` is the first reader. What a dump calls a thing by stays the thing's id here.
"""
