"""The application that the web server serves: `granian --interface rsgi config.rsgi:server`."""

from typing import Final

from config.wsgi import application  # must be first, because it sets Django up

# isort: split

from django.conf import settings

from config.http import serving, slow_bodies

server: Final = serving.Server(
    application,
    threads=settings.WEB_THREADS,
    most_uploads=settings.UPLOADS_AT_A_TIME,
    bodies=slow_bodies.Receiver(
        seconds=settings.BODY_SECONDS,
        most_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        most_unfinished=settings.UNFINISHED_BODIES,
    ),
)
