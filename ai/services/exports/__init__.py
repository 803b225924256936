"""Taking conversations out: exactly the rows that somebody selected, in a format that other programs read.

`formats` says which formats there are, `writing` puts a selection into a file in one go, `jobs` does so in the background,
part by part, for selections that take longer.
"""
