"""The WSGI application. With ASGI, synchronous views are several times slower."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Django's application comes first: it sets up the apps that the modules below need.
_django = get_wsgi_application()

# isort: split

from config.http import middleware  # noqa: E402
from payments import pseudonyms  # noqa: E402

# Import all views now, not during the first request of the process.
get_resolver().url_patterns  # noqa: B018 - reading them loads them
pseudonyms.require_key_at_start()
application = middleware.utf_8(_django)
