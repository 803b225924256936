"""The full-text index: FTS5 kept by triggers on SQLite, a generated tsvector with a GIN index on PostgreSQL.

Each document is indexed with its text, its `grams` (see `ai.models.words`) and its labels: the tenant's id and, for a
title, the word "title".
"""

# ruff: noqa: S608 - the statements are put together from the constants below alone
from typing import Any

from django.db import NotSupportedError, migrations

_LABELS = "coalesce({0}tenant_id, '') || CASE WHEN {0}message_id IS NULL THEN ' title' ELSE '' END"
_NEW = f"new.id, {_LABELS.format('new.')}, new.text, new.grams"
_OLD = f"old.id, {_LABELS.format('old.')}, old.text, old.grams"
_ADD = f"INSERT INTO ai_search_fts(rowid, labels, text, grams) VALUES ({_NEW});"
_REMOVE = f"INSERT INTO ai_search_fts(ai_search_fts, rowid, labels, text, grams) VALUES ('delete', {_OLD});"

SQLITE = (
    f"CREATE VIEW ai_search_source AS SELECT id, {_LABELS.format('')} AS labels, text, grams FROM ai_search_document",
    # No prefix index: it triples the cost of writing and serves only words of exactly its lengths.
    """CREATE VIRTUAL TABLE ai_search_fts USING fts5(
        labels, text, grams, content='ai_search_source', content_rowid='id', columnsize=0,
        tokenize='unicode61 remove_diacritics 2'
    )""",
    # Memory for words that a transaction adds before they go to the disk: bigger loads merge less.
    "INSERT INTO ai_search_fts(ai_search_fts, rank) VALUES ('hashsize', 33554432)",
    f"CREATE TRIGGER ai_search_added AFTER INSERT ON ai_search_document BEGIN {_ADD} END",
    f"CREATE TRIGGER ai_search_removed AFTER DELETE ON ai_search_document BEGIN {_REMOVE} END",
    f"""CREATE TRIGGER ai_search_changed AFTER UPDATE OF tenant_id, message_id, text, grams ON ai_search_document
        BEGIN {_REMOVE} {_ADD} END""",
)
SQLITE_BACK = (
    "DROP TRIGGER ai_search_added",
    "DROP TRIGGER ai_search_removed",
    "DROP TRIGGER ai_search_changed",
    "DROP TABLE ai_search_fts",
    "DROP VIEW ai_search_source",
)

_ASCII_SIGNS = r"[!-/:-@\[-`{-~]+"
_SIGNS = (
    r"[!-/:-@\[-`{-~\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff"
    r"\u3000-\u3004\u3008-\u3020\U0001f000-\U0001faff]+"
)
_UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]+"
)

#: What SQLite's unicode61 does, in PostgreSQL's words: no accents, no capitals, split at every sign.
_FUNCTION = rf"""CREATE FUNCTION ai_search_vector(tenant uuid, message uuid, body text, grams text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_remove(ARRAY[
        '=' || replace(tenant::text, '-', ''), CASE WHEN message IS NULL THEN '=title' END], NULL))
    || to_tsvector('simple'::regconfig, CASE
        WHEN octet_length(body) = char_length(body) THEN regexp_replace(body, '{_ASCII_SIGNS}', ' ', 'g')
        ELSE lower(regexp_replace(normalize(regexp_replace(
            normalize(regexp_replace(body, '{_UNSPACED}', ' ', 'g'), NFKD),
            '[\u0300-\u036f]+', '', 'g'), NFKC), '{_SIGNS}', ' ', 'g') COLLATE "und-x-icu")
        END)
    || to_tsvector('simple'::regconfig, grams)
    $$"""
_VECTOR = """ALTER TABLE ai_search_document ADD COLUMN vector tsvector
    GENERATED ALWAYS AS (ai_search_vector(tenant_id, message_id, text, grams)) STORED"""
_INDEX = "CREATE INDEX ai_search_vector ON ai_search_document USING gin (vector)"
POSTGRESQL_BACK = (
    "ALTER TABLE ai_search_document DROP COLUMN vector",
    "DROP FUNCTION ai_search_vector(uuid, uuid, text, text)",
)


def _postgresql(schema_editor: Any) -> tuple[str, ...]:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'")
        has_icu = cursor.fetchone()
    # Without ICU the database's own locale says which letters are small.
    return _FUNCTION if has_icu else _FUNCTION.replace(' COLLATE "und-x-icu"', ""), _VECTOR, _INDEX


def _run(schema_editor: Any, statements: tuple[str, ...]) -> None:
    for statement in statements:
        schema_editor.execute(statement)


def _vendor(schema_editor: Any) -> str:
    vendor: str = schema_editor.connection.vendor
    if vendor not in {"sqlite", "postgresql"}:
        raise NotSupportedError(f"There is no full-text search for {vendor}: use SQLite or PostgreSQL.")
    return vendor


def forwards(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, SQLITE if _vendor(schema_editor) == "sqlite" else _postgresql(schema_editor))


def backwards(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, SQLITE_BACK if _vendor(schema_editor) == "sqlite" else POSTGRESQL_BACK)


class Migration(migrations.Migration):
    dependencies = [("ai", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards, elidable=False)]
