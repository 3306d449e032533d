"""The service's settings, on servers that only these tests use."""

import os

from tests.support import servers

os.environ.update(servers.environment())

from config.settings import *  # noqa: F403 - what they read has been set just now

DATABASES["default"]["ENGINE"] = "tests.postgresql"  # noqa: F405
# Hashing slowly protects nobody here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A thread that writes at any moment would do so between two tests, where there is no database.
API_KEY_USES_SECONDS = 0.0
