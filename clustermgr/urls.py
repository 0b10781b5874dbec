"""Addresses: pages, the API, the live fallback, metrics, and the pages for errors."""

from django.urls import include, path, re_path

from clustermgr.api.urls import nothing
from clustermgr.live.poll import poll
from clustermgr.monitor.metrics import metrics

urlpatterns = [
    path("api/v1/", include("clustermgr.api.urls")),
    re_path(r"^api(?:/[\s\S]*)?$", nothing, name="api-nothing"),
    path("metrics", metrics, name="metrics"),
    path("c/<slug:slug>/live", poll, name="live"),
    path("", include("clustermgr.web.urls")),
]

handler400 = "clustermgr.web.errors.bad_request"
handler403 = "clustermgr.web.errors.forbidden"
handler404 = "clustermgr.web.errors.not_found"
handler500 = "clustermgr.web.errors.broken"
