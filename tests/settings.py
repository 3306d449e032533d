"""The service's settings with the servers of the test run."""

import os

from tests.support import servers

os.environ.update(servers.environment())

from config.settings import *  # noqa: F403 - their variables have been set above

DATABASES["default"]["ENGINE"] = "tests.postgresql"  # noqa: F405
# A slow hash only costs time here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Decisions of tests are not chosen at random. Tests of second reviews choose them.
SECOND_REVIEW_PERCENT = SECOND_REVIEW_NEW_PERCENT = 0
# Otherwise a thread could write between two tests, when no database access is allowed.
API_KEY_USES_SECONDS = 0.0
# Users of the tests sign in with a password. Tests of second factors name the roles.
MFA_REQUIRED_ROLES = []
# Each client of a test loads the middleware: static files are looked up when a page asks for them.
WHITENOISE_AUTOREFRESH = True
