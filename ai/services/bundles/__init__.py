"""Bundles: everything of one tenant in one archive, from which an empty console makes the same tenant again.

The same data makes the same bytes: rows are in the order of their keys, names in alphabetical order, and nothing says when
or by whom the bundle was made. Left out are secrets (API keys, keys of connections), people's memberships, the audit log and
jobs, which are this console's own, and what follows from other rows. What was going on ends: runs that had not ended are
cancelled in the bundle, so that no other console executes them again.
"""
