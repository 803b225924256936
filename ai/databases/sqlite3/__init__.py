"""`"ENGINE": "ai.databases.sqlite3"`: Django's SQLite engine for processes with many threads that write."""
