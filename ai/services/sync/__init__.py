"""Keeping threads in step with their remote sides: asking for it, carrying it out, deciding conflicts, moving."""
