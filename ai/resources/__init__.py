"""CSV files with a preview, through django-import-export: one resource a noun, each with the columns of `ai.services.tables`.

Rows are found by their id or else by what they are called elsewhere, and written by the managers. For files of bounded size:
the whole file and its preview are in memory.
"""
