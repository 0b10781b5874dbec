"""Signing in (throttled by axes), signing out, and the link that signs in once."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from clustermgr.actions import accounts
from clustermgr.web.http import is_part, sign_in_again

WRONG = (
    "The name or the password is wrong. After five wrong attempts the name is locked for 15 minutes for "
    "everybody at your address."
)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    if is_part(request):
        return sign_in_again(request)
    target = _inside(request, request.POST.get("next") or request.GET.get("next", ""))
    name = request.POST.get("username", "").strip()[:150]
    context = {"next": target, "username": name}
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(target)
        return render(request, "sign_in.html", {**context, "nobody": not accounts.anybody()})
    user = authenticate(request, username=name, password=request.POST.get("password", "")[:4096])
    if user is None:
        return render(request, "sign_in.html", {**context, "error": WRONG}, status=401)
    login(request, user)
    return HttpResponseRedirect(target)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("sign-in")


@require_GET
@login_not_required
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    user = accounts.use_link(token)
    if user is None:
        return render(request, "sign_in.html", {"next": "/", "error": SPENT}, status=403)
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("chooser")


SPENT = "This sign-in link was used before or is too old. Sign in with name and password, or make a new link."


def counted_address(request: HttpRequest) -> str | None:
    """The address under which wrong attempts are counted. Of IPv6 one host has a whole network: 64 bits."""
    address = request.META.get("REMOTE_ADDR") or None
    try:
        wide = ip_address(address or "")
    except ValueError:  # a socket of this machine has none
        return None
    if wide.version == 4:
        return str(wide)
    return str(wide.ipv4_mapped or ip_network((wide, 64), strict=False).network_address)


def _inside(request: HttpRequest, target: str) -> str:
    """Only addresses of this console: a link that signs in must not lead away."""
    allowed = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if allowed and target.startswith("/") else "/"
