"""Django's settings. Environment variables provide what differs between installations."""

import shlex
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from config import backoffice, logs, openapi, variables
from config.http import content_policy, lockout
from config.postgresql import session

BASE_DIR: Final = Path(__file__).resolve().parent.parent

# With this, commands use the servers and keys of a running `make run`.
variables.load(BASE_DIR / ".local" / "environment")

DEBUG: bool = variables.flag("DEBUG", default=False)
_DATABASE: Final = variables.database("DATABASE_URL", debug=DEBUG)

# True if `make run` started the database.
EMBEDDED: bool = variables.flag("EMBEDDED", default=False)

# Signs sessions. Can be rotated.
SECRET_KEY: str = variables.secret("SECRET_KEY", debug=DEBUG)
# Key for the hashes that replace customers and requests in the log. Cannot be rotated: see
# payments.pseudonyms.
PSEUDONYM_KEY: str = variables.secret("PSEUDONYM_KEY", debug=DEBUG)
# Signs the seals of the log. For workers only. Can be rotated if SEAL_PUBLIC_KEYS contains the old public
# keys: see payments.events.seals.keys.
SEAL_KEY: str = variables.seal_key("SEAL_KEY", debug=DEBUG)
SEAL_PUBLIC_KEYS: list[str] = variables.public_keys("SEAL_PUBLIC_KEYS")
# These keys encrypt the secrets of webhook endpoints and sign messages. The first key encrypts new
# secrets: see readmodels.webhooks.keys.
WEBHOOK_KEYS: list[str] = variables.webhook_keys("WEBHOOK_KEYS", debug=DEBUG)
# The longest time for one request to an endpoint, in seconds.
WEBHOOK_SECONDS: float = variables.seconds("WEBHOOK_SECONDS", 15.0)
# Let endpoints use http and the addresses of this machine.
WEBHOOK_DEBUG: bool = DEBUG

# The file in which this host remembers the last seal, outside the database: see payments.events.seals.memory.
SEAL_HEAD_FILE: str = variables.text("SEAL_HEAD_FILE")

ALLOWED_HOSTS: list[str] = variables.texts("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS: list[str] = variables.origins("CSRF_TRUSTED_ORIGINS")

# Applications

INSTALLED_APPS: list[str] = [
    "unfold",  # before the admin, whose templates it overrides
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "csp",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp_webauthn",
    "payments.events",
    "payments.customers",
    "payments.clients",
    "payments.lists",
    "payments.identity",
    "payments.traffic",
    "readmodels.webhooks",
    "readmodels.backtests",
    "readmodels.exports",
    "readmodels.staff",
    "readmodels",
]

MIDDLEWARE: list[str] = [
    "config.http.middleware.RequestIdMiddleware",
    "config.http.middleware.ProbeMiddleware",
    "config.http.middleware.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.http.middleware.ContentPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.http.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.http.middleware.CsrfViewMiddleware",
    "config.http.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "config.http.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.http.middleware.RequestLogMiddleware",
    "config.http.middleware.OutageMiddleware",
    "config.http.middleware.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",  # must be last
]

# W003: the check does not recognize our subclass of the CSRF middleware.
# W005, W021: HSTS of subdomains and preloading concern the whole domain. Its owner configures them.
# W002: one URL pattern begins with a slash, to match paths like //api/v1.
# E030: payments.identity.passkeys returns the allowed origins.
SILENCED_SYSTEM_CHECKS = [
    "security.W003",
    "security.W005",
    "security.W021",
    "urls.W002",
    "otp_webauthn.E030",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["readmodels.admin.base.authors", "readmodels.admin.base.times"],
        },
    }
]

# Database

# Each thread keeps its connection, because opening one costs more than a payment. Celery would close a pool
# around every task. ATOMIC_REQUESTS is off: a command is one statement and needs no transaction.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **_DATABASE,
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": None,
        "ATOMIC_REQUESTS": False,
    }
}
DATABASES["default"]["OPTIONS"] = {
    # Seconds. An unreachable server must not block a thread.
    "connect_timeout": 5,
    # Detects a vanished machine, for which libpq's defaults wait for hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
    **DATABASES["default"].get("OPTIONS", {}),
    "options": session.options(DATABASES["default"].get("OPTIONS", {}).get("options", "")),
    # The service prepares frequent statements itself. Automatic preparation by psycopg would deallocate all
    # prepared statements after a rollback.
    "prepare_threshold": None,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Valkey or Redis: wake-ups, the broker, rate limits

REDIS_URL: str = variables.redis("REDIS_URL")


def _broker_url(url: str) -> str:
    """Return the URL in Celery's form: unix:///path?db=N becomes redis+socket:///path?virtual_host=N."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = parts.query.replace("db=", "virtual_host=")
    # urlunsplit would omit the empty host, and the path would become the host.
    return f"redis+socket://{parts.path}" + (f"?{query}" if query else "")


# Celery

CELERY_BROKER_URL: str = _broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True  # the read models are the result
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES: int | None = None  # no limit
CELERY_WORKER_CONSUMER = "config.broker:Consumer"
CELERY_BEAT_SCHEDULER = "config.broker:Scheduler"
# The number of tasks after which a worker renews its database connection.
CELERY_DB_REUSE_MAX = 500
# Publishers do not retry: see readmodels.engine.wakeups.
CELERY_TASK_PUBLISH_RETRY_POLICY: dict[str, Any] = {"max_retries": 0}
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "visibility_timeout": 120,  # seconds, longer than any task that is acknowledged at its end
    # A killed worker's tasks return after interval x throttle sweeps. kombu's default takes 100 s.
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}

# The aggregates whose events and upcasts `manage.py check` checks.
EVENT_AGGREGATES = "payments.aggregates.AGGREGATES"

# The most undecided payments that a person can claim with "Claim next" in the back office. The API
# has no such limit: each Idempotency-Key claims its own payment.
REVIEWS_HELD: int = variables.number("REVIEWS_HELD", 1, least=1, most=1_000)

# The percentage of decisions that a second person reviews without seeing the decision. A larger
# percentage applies to reviewers with few decisions in the last 90 days.
SECOND_REVIEW_PERCENT: int = variables.number("SECOND_REVIEW_PERCENT", 2, most=100)
SECOND_REVIEW_NEW_PERCENT: int = variables.number("SECOND_REVIEW_NEW_PERCENT", 20, most=100)
SECOND_REVIEW_NEW_DECISIONS: int = variables.number("SECOND_REVIEW_NEW_DECISIONS", 50)

# Auditors are warned about people who reveal personal data more than this many times per hour.
REVEALS_PER_HOUR: int = variables.number("REVEALS_PER_HOUR", 50, least=1)

# The command that checks each attached file for viruses. It reads the file from its standard input
# and exits with 0 if the file is clean, with 1 if it is not. If empty, files are not checked.
ATTACHMENT_SCANNER: list[str] = shlex.split(variables.text("ATTACHMENT_SCANNER"))

# Whether the approval of a risk policy needs an attached backtest from the last 30 days.
POLICY_NEEDS_BACKTEST: bool = variables.flag("POLICY_NEEDS_BACKTEST", default=False)

# Exports

# The private folder for export files, which workers write and web servers send.
EXPORT_FOLDER: str = variables.text("EXPORT_FOLDER", str(BASE_DIR / ".local" / "exports"))

# People

AUTH_PASSWORD_VALIDATORS: list[dict[str, str]] = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS: list[str] = [
    "axes.backends.AxesStandaloneBackend",  # before the one that compares passwords
    "payments.identity.passwords.Backend",
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

AXES_FAILURE_LIMIT = lockout.FAILURES
AXES_COOLOFF_TIME = lockout.PERIOD
AXES_LOCKOUT_PARAMETERS: list[list[str]] = lockout.APPLIES_TO
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "config.http.lockout.page"
AXES_USERNAME_CALLABLE = "config.http.signing_in.recorded_name"
AXES_CLIENT_IP_CALLABLE = "config.http.signing_in.address"
AXES_CLIENT_STR_CALLABLE = "config.http.signing_in.in_logs"
# A successful sign-in or the end of a lockout resets the failure count. The failure log remains.
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_ACCESS_FAILURE_LOG_PER_USER_LIMIT = 1_000_000  # axes drops newer entries beyond it
AXES_HANDLER = "config.http.signing_in.Handler"
AXES_ENABLE_ADMIN = False  # readmodels.admin.people.sign_ins has the lists
AXES_VERBOSE = False

# Roles whose members must use a second factor: all, none, or role names.
MFA_REQUIRED_ROLES: list[str] = variables.roles(
    "MFA_REQUIRED_ROLES", ("senior reviewer", "risk manager", "superuser")
)
# For this time after a second factor, sensitive actions do not ask for it again.
MFA_RECENT_SECONDS: int = 60 * variables.number("MFA_RECENT_MINUTES", 15, least=1, most=720)
OTP_TOTP_ISSUER = "Payments review"
OTP_WEBAUTHN_HELPER_CLASS = "payments.identity.passkeys.Helper"
OTP_WEBAUTHN_RP_NAME = OTP_TOTP_ISSUER
OTP_WEBAUTHN_RP_ID = "localhost"  # for the system check; the helper uses the request's host
OTP_WEBAUTHN_ALLOW_PASSWORDLESS_LOGIN = False

# Sessions end after a time without use, and at the latest some hours after the sign-in.
SESSION_ENGINE = "payments.identity.session_store"
SESSION_IDLE_SECONDS: int = 60 * variables.number("SESSION_IDLE_MINUTES", 15, least=2, most=1_440)
SESSION_COOKIE_AGE: int = 3_600 * variables.number("SESSION_HOURS", 12, least=1, most=168)

PROXIES: int = variables.number("PROXIES", 0, most=100)

# The password for the demo's staff. `make run` passes it to `seed_demo`.
DEMO_PASSWORD: str = variables.text("DEMO_PASSWORD")

# Appearance of the back office

UNFOLD: dict[str, Any] = backoffice.UNFOLD

# Language and time: business days are UTC days

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = ["config.formats"]

# Static files

STATIC_URL = "static/"
# If it is not set, static files are served from the installed packages.
STATIC_ROOT: str | None = variables.given("STATIC_ROOT")
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = False

# HTTP

SESSION_COOKIE_SECURE: bool = variables.flag("HTTPS", default=False)
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE
# Prometheus may scrape without TLS. Probes are answered before this middleware.
SECURE_REDIRECT_EXEMPT = ["^metrics$"]
SECURE_HSTS_SECONDS: int = variables.number("HSTS_SECONDS", 0)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SESSION_COOKIE_SECURE else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {"DIRECTIVES": content_policy.DIRECTIVES}
CSRF_FAILURE_VIEW = "readmodels.admin.base.kept_text.csrf_failure"

# Logs

LOGGING: dict[str, Any] = logs.configured(
    for_people=DEBUG and sys.stderr.isatty(),
    level=variables.choice("LOG_LEVEL", "INFO", logs.LEVELS),
    # Logging a request takes a tenth of its time. Failures are logged at WARNING and above.
    requests=variables.choice("REQUEST_LOG_LEVEL", "WARNING", logs.LEVELS),
    # At INFO, Celery logs several lines for each batch of each projection.
    celery=variables.choice("CELERY_LOG_LEVEL", "WARNING", logs.LEVELS),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# RequestIdMiddleware has already checked both ids.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
DJANGO_STRUCTLOG_TRUST_UPSTREAM_CORRELATION_ID = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # addresses are personal data

# Metrics

# The bearer token for /metrics. If empty, requests from this machine are allowed.
METRICS_TOKEN: str = variables.text("METRICS_TOKEN")

# API

# Threads of each web process. Requests that wait for a projection use at most a quarter of them.
WEB_THREADS: int = variables.number("WEB_THREADS", 4, least=1, most=1_000)
# Limits for request bodies: seconds to arrive, unfinished bodies per process, bytes. The API allows
# fewer bytes.
BODY_SECONDS: float = variables.seconds("BODY_SECONDS", 10.0)
UNFINISHED_BODIES = 256
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 10
FILE_UPLOAD_HANDLERS = ["config.http.uploads.MemoryHandler"]
# The most large uploads that a process receives or handles at the same time.
UPLOADS_AT_A_TIME = 8
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000  # the form of a policy has several fields for each amount
API_RATE_PER_MINUTE: int = variables.number("API_RATE_PER_MINUTE", 6_000, least=1)  # for each key

# How often, in seconds, a process stores when API keys were last used. 0: it never does.
API_KEY_USES_SECONDS = 30.0

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["payments.api.http.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["payments.api.http.authentication.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["payments.api.http.throttling.KeyThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [],  # payments.api.http.reading reads bodies
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,  # reject "format" like any unknown parameter
    "DEFAULT_SCHEMA_CLASS": "payments.api.openapi.components.ApiSchema",
    "EXCEPTION_HANDLER": "payments.api.problems.handler.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = openapi.SETTINGS
