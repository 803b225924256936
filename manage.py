#!/usr/bin/env python
"""The project's command line: `python manage.py COMMAND`."""

import gc
import os
import sys


def main() -> None:
    """Run one management command."""
    # Hardly anything made while starting is garbage: looking for it is a fifth of the start.
    gc.set_threshold(50_000, 50)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    finally:
        gc.freeze()  # the process ends: what is left need not be looked through, which takes a third of a short command


if __name__ == "__main__":
    main()
