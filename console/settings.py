"""Django's settings, from the environment. `console.env` says which variables there are."""

from __future__ import annotations

import os
from importlib.util import find_spec
from logging import LogRecord
from typing import Any

import dj_database_url
from django.utils.log import CallbackFilter

from console import branding, env, keys, mail

BASE_DIR = env.PROJECT
ENV = env.load()
HOME = ENV.console_home
HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
PRODUCTION = ENV.console_production

# Marvin would create a database in the home folder of whoever runs us, and print what models say.
os.environ.setdefault("MARVIN_DATABASE_URL", f"sqlite+aiosqlite:///{HOME / 'marvin.sqlite3'}")
os.environ.setdefault("MARVIN_ENABLE_DEFAULT_PRINT_HANDLER", "false")

# -- Safety
DEBUG = ENV.debug
SECRET_KEY = ENV.secret_key or keys.kept(HOME / "secret_key", keys.signing_key)
ALLOWED_HOSTS = ENV.allowed_hosts or [*env.LOOPBACK, *({ENV.host} - {*env.LOOPBACK, "0.0.0.0", "::"})]  # noqa: S104 - compared, not bound
CSRF_TRUSTED_ORIGINS = ENV.csrf_trusted_origins
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = ENV.hsts_seconds if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # Alpine, in Unfold, evaluates its attributes.
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# -- The applications
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "import_export",
    # Serves what the API's documentation page needs; without it that page asks a foreign host.
    "ninja",
    "ai.apps.AIConfig",
]
if find_spec("django_linear_migrations"):
    # Installed where the project is developed: two branches cannot both add a "next" migration.
    INSTALLED_APPS.append("django_linear_migrations")
    FIRST_PARTY_APPS = ["ai"]
MIDDLEWARE = [
    "console.health.HealthMiddleware",
    "ai.middleware.api.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "console.static.StaticFilesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "ai.middleware.tenancy.TenantScopeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
WSGI_APPLICATION = "console.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [env.PROJECT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
UNFOLD = branding.UNFOLD
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"
# The preview and the confirmation of an import may be answered by different nodes.
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.CacheStorage"

# -- People
AUTHENTICATION_BACKENDS = ["console.accounts.AccountsBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = ENV.language_code
TIME_ZONE = ENV.time_zone
USE_TZ = True

# -- E-mail: none without a server
globals().update(mail.settings(ENV.email_url))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV.email_from

# -- The database
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-64000; "
        "PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864"
    ),
}


def _database() -> dict[str, Any]:
    config: dict[str, Any] = dict(dj_database_url.parse(ENV.database_url or f"sqlite:///{HOME / 'console.sqlite3'}"))
    if config["ENGINE"].endswith("sqlite3"):
        config["ENGINE"] = "ai.databases.sqlite3"
        config["OPTIONS"] = SQLITE_OPTIONS | config.get("OPTIONS", {})
    elif ENV.database_pool_size:
        config.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": ENV.database_pool_size}
    return config


DATABASES = {"default": _database()}

# -- The queue. The database is the truth about pending work; a message only wakes a worker.
CELERY_BROKER_URL = ENV.celery_broker_url or "folder://localhost"
CELERY_BROKER_FOLDER = HOME / "broker"
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_connect_timeout": 2}
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
CELERY_TASK_DEFAULT_QUEUE = "console"
CELERY_TASK_ROUTES = {
    "ai.tasks.runs.*": {"queue": "runs"},
    "ai.tasks.jobs.*": {"queue": "jobs"},
    "ai.tasks.vector_stores.*": {"queue": "jobs"},
    "ai.tasks.feedback.*": {"queue": "jobs"},
    "ai.tasks.sync.*": {"queue": "jobs"},
    "ai.tasks.webhooks.*": {"queue": "jobs"},
    "ai.tasks.notifications.*": {"queue": "jobs"},
}
# Workers look by themselves whether a sync is due. Who runs `celery beat` anyway has it there too; there is one job all the same.
if (minutes := os.environ.get("AI_SYNC_EVERY_MINUTES", "")).isdigit() and int(minutes):
    CELERY_BEAT_SCHEDULE = {"sync": {"task": "ai.tasks.sync.scheduled", "schedule": int(minutes) * 60.0}}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_BACKEND = None
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE

# -- What several processes share
_REDIS = ENV.cache_url or (CELERY_BROKER_URL if CELERY_BROKER_URL.startswith("redis") else "")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _REDIS,
        "KEY_PREFIX": "console",
    }
    if _REDIS
    else {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": HOME / "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

# -- Files
STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATIC_ROOT.mkdir(exist_ok=True)
MEDIA_ROOT = HOME / "files"
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": MEDIA_ROOT, "file_permissions_mode": 0o600},
    },
    "staticfiles": {
        # A production node runs `manage.py collectstatic` when it is built; the embedded default serves in place.
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
if ENV.files_s3_bucket:
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": ENV.files_s3_bucket,
            "endpoint_url": ENV.files_s3_endpoint_url or None,
            "region_name": ENV.files_s3_region or None,
            "location": ENV.files_s3_prefix,
            "default_acl": "private",
            "file_overwrite": False,
            "querystring_auth": True,
        },
    }


# -- The log
def _not_audit(record: LogRecord) -> bool:
    return record.name != "ai.audit"


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"spare_the_terminal": {"()": CallbackFilter, "callback": _not_audit}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": [] if PRODUCTION else ["spare_the_terminal"],
        },
        "audit": {
            "class": "logging.handlers.WatchedFileHandler",
            "formatter": "line",
            "filename": HOME / "audit.log",
            "delay": True,
        },
    },
    "root": {"handlers": ["console"], "level": ENV.log_level},
    "loggers": {
        "django": {"handlers": [], "level": ENV.log_level, "propagate": True},
        # Who looked across tenants: a line for every page. A node in production has one log, the embedded default a file.
        "ai.audit": {"handlers": [] if PRODUCTION else ["audit"], "level": "INFO"},
        # At INFO these name every URL that is called, query string included.
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
    },
}

# -- The app: `AI_*` from the environment, as it stands; `ai.conf` converts and checks
AI_CELERY_APP = "console.celery.app"
if PRODUCTION:
    # Next to a server that others use, nothing private is a model unless somebody says so.
    AI_PRIVATE_MODEL_HOSTS: list[str] = []
AI_SECRETS_KEY = os.environ.get("AI_SECRETS_KEY") or keys.kept(HOME / "ai_secrets_key", keys.fernet_key)
globals().update({name: value for name, value in os.environ.items() if name.startswith("AI_") and value})
