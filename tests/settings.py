"""The service's settings with the servers of the test run."""

import os

from tests.support import servers

os.environ.update(servers.environment())

from config.settings import *  # noqa: F403 - reads the variables that are set above

DATABASES["default"]["ENGINE"] = "tests.postgresql"  # noqa: F405
# A slow hash only costs time here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# No decision is chosen at random. Tests of second reviews raise the percentage.
SECOND_REVIEW_PERCENT = SECOND_REVIEW_NEW_PERCENT = 0
# Otherwise a thread could write between two tests, when no database access is allowed.
API_KEY_USES_SECONDS = 0.0
# Test users sign in with a password only. Tests of second factors set the roles.
MFA_REQUIRED_ROLES = []
# Each test client loads the middleware, which would otherwise read all static files each time.
WHITENOISE_AUTOREFRESH = True
