"""The WSGI application. With ASGI, synchronous views are several times slower."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from config.http import encoding
from payments import pseudonyms

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Django's application comes first, because it reads the settings.
_django = get_wsgi_application()
# Import all views now, not during the first request of the process.
get_resolver().url_patterns  # noqa: B018 - reading them loads them
pseudonyms.require_key_at_start()
application = encoding.utf_8(_django)
