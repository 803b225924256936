"""The full-text index over chunks: FTS5 kept by triggers on SQLite, a generated tsvector with a GIN index on PostgreSQL.

Each chunk is indexed with its words (see `ai.models.stems`) and its vector store's id, so that a search reads the entries of
one store: on SQLite the store is a label, on PostgreSQL the end of its id is a part of each word.
"""

from typing import Any

from django.db import migrations, models

_ADD = "INSERT INTO ai_chunk_fts(rowid, store, words) VALUES (new.id, new.vector_store_id, new.words);"
_REMOVE = """INSERT INTO ai_chunk_fts(ai_chunk_fts, rowid, store, words)
    VALUES ('delete', old.id, old.vector_store_id, old.words);"""

SQLITE = (
    "CREATE VIEW ai_chunk_source AS SELECT id, vector_store_id AS store, words FROM ai_chunk",
    # No sizes of columns: the ranking is our own.
    """CREATE VIRTUAL TABLE ai_chunk_fts USING fts5(
        store, words, content='ai_chunk_source', content_rowid='id', columnsize=0,
        tokenize='unicode61 remove_diacritics 2'
    )""",
    "INSERT INTO ai_chunk_fts(ai_chunk_fts) VALUES ('rebuild')",
    f"CREATE TRIGGER ai_chunk_added AFTER INSERT ON ai_chunk BEGIN {_ADD} END",
    f"CREATE TRIGGER ai_chunk_removed AFTER DELETE ON ai_chunk BEGIN {_REMOVE} END",
    f"CREATE TRIGGER ai_chunk_changed AFTER UPDATE OF vector_store_id, words ON ai_chunk BEGIN {_REMOVE} {_ADD} END",
)
SQLITE_BACK = (
    "DROP TRIGGER ai_chunk_added",
    "DROP TRIGGER ai_chunk_removed",
    "DROP TRIGGER ai_chunk_changed",
    "DROP TABLE ai_chunk_fts",
    "DROP VIEW ai_chunk_source",
)
_STORE = "right(replace(vector_store_id::text, '-', ''), 12)"
POSTGRESQL = (
    # Each word with the store in front of it: the entries of a word in one store are a list of their own.
    f"""ALTER TABLE ai_chunk ADD COLUMN vector tsvector GENERATED ALWAYS AS (
        array_to_tsvector(string_to_array({_STORE} || replace(words, ' ', ' ' || {_STORE}), ' '))
    ) STORED""",
    "CREATE INDEX ai_chunk_vector ON ai_chunk USING gin (vector)",
)
POSTGRESQL_BACK = ("ALTER TABLE ai_chunk DROP COLUMN vector",)


def forwards(apps: Any, schema_editor: Any) -> None:
    for statement in SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRESQL:
        schema_editor.execute(statement)


def backwards(apps: Any, schema_editor: Any) -> None:
    for statement in SQLITE_BACK if schema_editor.connection.vendor == "sqlite" else POSTGRESQL_BACK:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("ai", "0003_assistants_api")]
    operations = [
        migrations.AddField(
            "chunk",
            "words",
            models.TextField(default="", editable=False, help_text="What the text is found by."),
        ),
        migrations.AddIndex("vectorstore", models.Index(fields=["expires_at"], name="ai_vector_store_expiry")),
        migrations.RunPython(forwards, backwards, elidable=False),
    ]
