"""`manage.py export_threads FILE --format jsonl --tag billing`: write conversations to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ai import tenancy
from ai.exceptions import AIError
from ai.models import Tenant
from ai.services import actors
from ai.services.exports import asking, formats
from ai.services.selections import NOUNS, Selection


class Command(BaseCommand):
    """Writes what a list page would export, with the same filters."""

    help = (
        "Write threads, messages, runs, files, feedback or the audit log to a file, with the filters of the list pages."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", help="where to write; “-” writes to the standard output")
        parser.add_argument("--format", dest="format_", choices=[*formats.FORMATS], default="jsonl")
        parser.add_argument("--of", dest="noun", choices=[*NOUNS], default="threads", help="what to write")
        parser.add_argument("--tenant", help="the name of the tenant whose rows they are; without it, of all")
        parser.add_argument("--thread", action="append", help="the ID of a row; may be repeated")
        parser.add_argument("--search", default="", help="words, as in the search of the list page")
        parser.add_argument(
            "--filter",
            dest="filters",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a filter of the list page, such as tag=billing or created_from=2026-05-04; may be repeated",
        )
        parser.add_argument("--manifest", type=Path, help="where to write what is in the file, as JSON")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        """Write the file, and say what is in it."""
        try:
            with tenancy.everything(reason="manage.py export_threads"):
                made = asking.at_once(
                    selection=_selection(options), format_name=options["format_"], by=actors.SYSTEM, at=timezone.now()
                )
        except AIError as error:
            raise CommandError(error.message) from error
        with made.content as content:
            if file == "-":
                formats.join([content], sys.stdout.buffer)
                return
            with Path(file).open("wb") as out:
                formats.join([content], out)
        if options["manifest"]:
            options["manifest"].write_text(
                json.dumps(made.manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        counts, about = made.manifest["counts"], made.manifest["file"]
        self.stdout.write(
            f"{made.manifest['selection']['words']}: {counts['rows']:,} read, {counts['written']:,} written to {file} "
            f"({about['bytes']:,} bytes, SHA-256 {about['sha256']})."
        )


def _selection(options: dict[str, Any]) -> Selection:
    if options["thread"]:
        return Selection.of_ids(options["noun"], options["thread"])
    parameters: dict[str, str] = {"q": options["search"]}
    for given in options["filters"]:
        name, equals, value = given.partition("=")
        if not equals:
            raise CommandError(f"Write the filter “{given}” as NAME=VALUE.")
        parameters[name] = value
    if options["tenant"]:
        found = Tenant.objects.filter(name=options["tenant"]).first()
        if found is None:
            raise CommandError(f"There is no tenant “{options['tenant']}”.")
        parameters["tenant"] = str(found.pk)
    return Selection.of_list(options["noun"], parameters)
