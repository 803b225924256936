"""The full-text index: FTS5 kept by triggers on SQLite, a generated tsvector with a GIN index on PostgreSQL."""

from typing import Any

from django.db import migrations

SQLITE = (
    """CREATE VIRTUAL TABLE ai_search_fts USING fts5(
        text, content='ai_search_document', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    )""",
    """CREATE TRIGGER ai_search_added AFTER INSERT ON ai_search_document BEGIN
        INSERT INTO ai_search_fts(rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER ai_search_removed AFTER DELETE ON ai_search_document BEGIN
        INSERT INTO ai_search_fts(ai_search_fts, rowid, text) VALUES ('delete', old.id, old.text);
    END""",
    """CREATE TRIGGER ai_search_changed AFTER UPDATE OF text ON ai_search_document BEGIN
        INSERT INTO ai_search_fts(ai_search_fts, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO ai_search_fts(rowid, text) VALUES (new.id, new.text);
    END""",
)
POSTGRESQL = (
    """ALTER TABLE ai_search_document ADD COLUMN vector tsvector
        GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, text)) STORED""",
    "CREATE INDEX ai_search_vector ON ai_search_document USING gin (vector)",
)
SQLITE_BACK = (
    "DROP TRIGGER ai_search_added",
    "DROP TRIGGER ai_search_removed",
    "DROP TRIGGER ai_search_changed",
    "DROP TABLE ai_search_fts",
)
POSTGRESQL_BACK = ("ALTER TABLE ai_search_document DROP COLUMN vector",)


def _run(schema_editor: Any, sqlite: tuple[str, ...], postgresql: tuple[str, ...]) -> None:
    vendor = schema_editor.connection.vendor
    if vendor not in {"sqlite", "postgresql"}:
        raise NotImplementedError(f"There is no full-text search for {vendor}: use SQLite or PostgreSQL.")
    for statement in sqlite if vendor == "sqlite" else postgresql:
        schema_editor.execute(statement)


def forwards(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, SQLITE, POSTGRESQL)


def backwards(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, SQLITE_BACK, POSTGRESQL_BACK)


class Migration(migrations.Migration):
    dependencies = [("ai", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards, elidable=False)]
