"""The WSGI application: never ASGI, on which synchronous views are several times slower."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from config.http import encoding
from payments import pseudonyms

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Django's first: it reads the settings.
_django = get_wsgi_application()
# Else the first request of each process waits for all views to be imported.
get_resolver().url_patterns  # noqa: B018 - looking at them loads them
pseudonyms.require_key_at_start()
application = encoding.utf_8(_django)
