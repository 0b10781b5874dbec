"""Settings: everything that differs between installations comes from the environment, and a wrong value
stops the start with one sentence.

    CLUSTERMGR_VAR   folder for the database, keys and sockets (default: var/ beside manage.py)
    DATABASE_URL     sqlite:///path or postgresql://user:password@host/name
    REDIS_URL        redis://host:6379/0 or unix:///path/to/socket
    CLUSTERMGR_HOSTS names under which browsers on other machines reach the console, comma separated
    CLUSTERMGR_LOG   json for one JSON object a line, text (the default) for people
    CLUSTERMGR_METRICS_FROM  addresses or networks that may read /metrics without a token, comma separated
    CLUSTERMGR_TLS   1 when a proxy in front speaks TLS (secure cookies, HSTS, redirect)
    DEBUG            1 for development only
"""

from __future__ import annotations

import hashlib
import os
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from clustermgr.supervisor import names
from clustermgr.supervisor.installation import redis_socket

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("CLUSTERMGR_VAR") or BASE_DIR / "var")


def env_bool(name: str, default: bool = False) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text in {"", "1", "true", "yes", "on", "0", "false", "no", "off"}:
        return default if text == "" else text in {"1", "true", "yes", "on"}
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not “{text}”.")


def kept_secret(name: str, file: str) -> str:
    """The value of `name`, of the file named by `name`_FILE, or a key made once for this installation."""
    if os.environ.get(name):
        return os.environ[name]
    path = Path(os.environ.get(f"{name}_FILE") or VAR_DIR / file)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass  # another process of this installation was faster
        else:
            with os.fdopen(descriptor, "w") as handle:
                handle.write(secrets.token_urlsafe(64))
    return path.read_text().strip()


def env_networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, such as "192.0.2.7, 10.0.0.0/8"."""
    words = [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]
    try:
        return [ip_network(word) for word in words]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must list addresses or networks: {error}.") from None


DEBUG = env_bool("DEBUG")
SECRET_KEY = kept_secret("SECRET_KEY", "secret.key")
PUBLIC_HOSTS, LOCAL_HOSTS = names.public(os.environ), names.local(os.environ)
ALLOWED_HOSTS = [*PUBLIC_HOSTS, *LOCAL_HOSTS]
TLS = env_bool("CLUSTERMGR_TLS")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_htmx",
    "template_partials",
    "clustermgr",
]

MIDDLEWARE = [
    "clustermgr.monitor.requests.RequestMiddleware",
    "clustermgr.web.text.NoNulMiddleware",
    "clustermgr.web.transport.TransportMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "clustermgr.web.http.PaneHeadersMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "clustermgr.urls"
ASGI_APPLICATION = "clustermgr.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "clustermgr.web.templatetags.cluster_ui",
            ],
            "libraries": {"cluster_ui": "clustermgr.web.templatetags.cluster_ui"},
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
        },
    }
]

# -- database ---------------------------------------------------------------------------------------------

DATABASE_URL = os.environ.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'clustermgr.sqlite3'}"
DATABASES: dict[str, Any] = {"default": dj_database_url.parse(DATABASE_URL)}
_database = DATABASES["default"]
if _database["ENGINE"].endswith("sqlite3"):
    _file = Path(_database["NAME"])
    if str(_file) != ":memory:" and not _file.exists():
        # It holds sessions, so only its owner may read it; SQLite gives its journal the same rights.
        _file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _file.touch(mode=0o600)
    # Rows that carry intent must survive a power cut: FULL, set when a connection opens (safety.md 3).
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
elif _database["ENGINE"].endswith("postgresql"):
    # Under ASGI each request has a thread of its own, so connections live in psycopg's pool. A server that
    # was away is found again at once: a dead connection is never handed out, and no attempt waits for long.
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = {
        "pool": {"min_size": 1, "max_size": 40, "timeout": 4, "reconnect_timeout": 5},
        "connect_timeout": 5,
    }
else:
    raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgresql://.")

# -- Redis, Celery ----------------------------------------------------------------------------------------

REDIS_URL = os.environ.get("REDIS_URL") or f"unix://{redis_socket(VAR_DIR)}"
if not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
CELERY_BROKER_URL = "redis+socket" + REDIS_URL[4:] if REDIS_URL.startswith("unix://") else REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
# Without the last three a message to a Redis that is away waits 6 s (measured), in a page or in the watch.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"

# The embedded set-up gives the simulated hosts' console a port and a token of its own.
LAB_CONSOLE_URL = os.environ.get("CLUSTERMGR_LAB_CONSOLE_URL", "")

# -- people -----------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
# A name together with an address. By the name alone anybody could lock the administrator out, by the address
# alone one person everybody behind the same router.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "clustermgr.web.accounts.counted_address"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # 15 minutes are 15 minutes, whoever goes on trying
AXES_LOCKOUT_TEMPLATE = "sign_in_locked.html"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False

# -- security ---------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}
# Cookies do not know ports: two installations on one machine must not sign each other out.
_mark = ("__Host-" if TLS else "") + "clustermgr_" + hashlib.sha256(SECRET_KEY.encode()).hexdigest()[:8]
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_mark}_session", f"{_mark}_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Strict would make a link from a mail or a chat a page without the cookie, and that page's new one would
# spoil the forms of every tab that is open already.
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W001"]  # TransportMiddleware is SecurityMiddleware
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
CSRF_FAILURE_VIEW = "clustermgr.web.errors.csrf_failure"
if TLS:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    CSRF_TRUSTED_ORIGINS = [f"https://{name}" for name in PUBLIC_HOSTS if name != "*"]

# -- language, files, log ---------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "clustermgr.web.assets.NamedByContent"},
}
# Served straight from the apps' folders: nothing to collect between an upgrade and the next page.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# -- how long the past is kept, in days -------------------------------------------------------------------

HISTORY_DAYS = 90  # tasks that ended, and events
AUDIT_DAYS = 365

# -- what programs read: metrics, and the log's form ------------------------------------------------------

METRICS_FROM = env_networks("CLUSTERMGR_METRICS_FROM")
LOG_FORM = os.environ.get("CLUSTERMGR_LOG") or "text"
if LOG_FORM not in {"text", "json"}:
    raise ImproperlyConfigured(f"CLUSTERMGR_LOG must be text or json, not “{LOG_FORM}”.")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "clustermgr.logs.Text", "fmt": "%(levelname)s %(name)s: %(message)s"},
        "json": {"()": "clustermgr.logs.Json"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORM}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django and uvicorn bring handlers of their own, whose lines would have another form.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "uvicorn": {"handlers": [], "level": "WARNING", "propagate": True},
        "axes": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # Two lines for each of many small tasks; one that fails is still told.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
