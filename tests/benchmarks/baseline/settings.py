"""The service's settings with the baseline application."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS, REDIS_URL, REST_FRAMEWORK

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework.authtoken", "tests.benchmarks.baseline"]
ROOT_URLCONF = "tests.benchmarks.baseline.urls"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_RATES": {"user": "100000000/min"},
}
# No rate limit may stop a measurement.
API_RATE_PER_MINUTE = 100_000_000
