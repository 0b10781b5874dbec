"""The fixed names in the root, and the six packages: installed, configured and really used."""

from __future__ import annotations

import subprocess

import pytest
from django.conf import settings

from tests.architecture import ROOT, imports, sources
from tests.settings import PRIVATE

FIXED = {
    "manage.py",
    "requirements.txt",
    "clustermgr",
    "templates",
    "static",
    "tests",
    "docker-compose.yml",
}
BESIDE_THEM = {
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "Makefile",
    "Dockerfile",
    "pyproject.toml",
    "requirements-libvirt.txt",
    "docs",
    ".ci",
    ".gitignore",
}
SIX = {
    "django": "Django",
    "django_htmx": "django-htmx",
    "channels": "channels",
    "celery": "celery",
    "redis": "redis",
    "pytest_django": "pytest-django",
}


def _names_in_root() -> set[str]:
    """What the repository holds there; without git, what lies there less what is ignored."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return {line.split("/")[0] for line in listed.stdout.splitlines()}
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()} | {".git"}
    return {path.name for path in ROOT.iterdir()} - ignored


def _pinned() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line.split(";")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
    return {name.split("[")[0].lower(): version for name, version in (line.split("==") for line in wanted)}


def _imported_by_the_program() -> set[str]:
    return {found.module.split(".")[0] for path in sources() for found in imports(path)}


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_fixed_name_is_there_and_not_empty(name):
    path = ROOT / name
    assert path.exists(), f"{name} is missing in the root"
    assert any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0, f"{name} is empty"


def test_nothing_else_stands_in_the_root():
    extra = _names_in_root() - FIXED - BESIDE_THEM
    assert not extra, f"the root holds only the fixed names; move these elsewhere: {', '.join(sorted(extra))}"


@pytest.mark.parametrize("package", SIX.values())
def test_each_of_the_six_packages_is_pinned(package):
    assert package.lower() in _pinned(), f"{package} is missing in requirements.txt"


@pytest.mark.parametrize("module", ["django", "channels", "celery", "redis"])
def test_the_program_imports_it(module):
    assert module in _imported_by_the_program(), f"{module} is required and nothing uses it"


def test_django_htmx_is_configured_and_its_script_is_on_the_page():
    assert "django_htmx" in settings.INSTALLED_APPS
    assert "django_htmx.middleware.HtmxMiddleware" in settings.MIDDLEWARE
    pages = [path.read_text() for path in (ROOT / "templates").rglob("*.html")]
    assert any("{% htmx_script" in page for page in pages)
    assert any("hx-get" in page for page in pages)
    assert any("request.htmx" in path.read_text() for path in sources())


def test_channels_carries_the_socket():
    from clustermgr.asgi import application

    assert "channels" in settings.INSTALLED_APPS
    assert "websocket" in application.application_mapping


def test_celery_has_tasks_and_a_schedule_on_redis():
    from clustermgr.celery import app

    app.loader.import_default_modules()
    ours = {name for name in app.tasks if name.startswith("clustermgr.jobs.")}
    assert {"clustermgr.jobs.operations.drive", "clustermgr.jobs.watch.watch"} <= ours
    assert app.conf.beat_schedule
    assert app.conf.broker_url.startswith(("redis://", "rediss://", "redis+socket://"))


def test_pytest_django_runs_these_tests(request):
    assert request.config.pluginmanager.hasplugin("django")
    assert any("django_db" in path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


def test_tests_have_a_private_folder_in_every_process() -> None:
    assert settings.VAR_DIR == PRIVATE
    assert settings.SETTINGS_MODULE == "tests.settings"
