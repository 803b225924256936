"""What admin pages are made of: a base class, badges, filters, forms."""
