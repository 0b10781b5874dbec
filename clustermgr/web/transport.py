"""Plain HTTP: sent on to TLS where a proxy speaks it, except to who asks on this machine, past the proxy."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.middleware.security import SecurityMiddleware


class TransportMiddleware(SecurityMiddleware):
    """A proxy hands on the browser's name and address: what comes through it is not this machine."""

    def process_request(self, request: HttpRequest) -> Any:
        return None if _on_this_machine(request) else super().process_request(request)


def _on_this_machine(request: HttpRequest) -> bool:
    name, _ = split_domain_port(request.get_host())
    if name not in settings.LOCAL_HOSTS:
        return False
    caller = request.META.get("REMOTE_ADDR", "")
    try:
        return ip_address(caller).is_loopback or caller == name.strip("[]")
    except ValueError:
        return False
