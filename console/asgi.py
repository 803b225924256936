"""The ASGI application that a web server runs."""

import os

from django.core.asgi import get_asgi_application

from ai.middleware.bodies import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

application = BodyLimit(get_asgi_application())
