"""Template tags: icons, badges, sizes, rates, times and region addresses. A builtin of every template."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.http import QueryDict
from django.template.base import Parser, Token
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.templatetags.static import static
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from clustermgr.core import events, words
from clustermgr.ports import clock, new_id
from clustermgr.web.words import FIELDS, LEVELS, NO_LOOK, PLAIN, STATES, TASKS, VERDICTS, Look, look

register = template.Library()

TABLES = {"state": STATES, "task": TASKS, "level": LEVELS, "verdict": VERDICTS}
DASH = "–"


# A page of a hundred rows draws hundreds of icons and links, of which there are few different ones; making
# each anew was a third of its time. The caches are bounded, and know nothing of who looks.


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, extra: str = "") -> SafeString:
    """A drawing of the sprite, hidden from screen readers: words carry the meaning."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        extra,
        static("icons/sprite.svg"),
        name,
    )


@register.simple_tag
def badge(kind: str, key: str, word: str = "") -> SafeString:
    """Icon and word: `{% badge "state" vm.state %}`; kinds are state, task, level and verdict."""
    return _badge(kind, str(key), word)


@lru_cache(maxsize=512)
def _badge(kind: str, key: str, word: str) -> SafeString:
    found = look(TABLES.get(kind, STATES), key)
    return shape(found._replace(word=word) if word else found)


@lru_cache(maxsize=512)
def shape(found: Look) -> SafeString:
    return format_html(
        '<span class="badge tone-{}">{}<span class="word">{}</span></span>',
        found.tone,
        icon(found.icon),
        found.word,
    )


@register.simple_tag
def mark(name: str, tone: str, word: str) -> SafeString:
    """A badge that is no state: drift, simulated, old figures."""
    return shape(NO_LOOK._replace(word=word, icon=name, tone=tone))


class Link(URLNode):
    """Django's `{% url %}`, which finds the same address once."""

    def render(self, context: template.Context) -> str:
        if self.kwargs:
            return str(super().render(context))
        arguments = tuple(each.resolve(context) for each in self.args)
        try:
            path = _address(get_script_prefix(), self.view_name.resolve(context), arguments)
        except NoReverseMatch:
            if self.asvar is None:
                raise
            path = ""
        if self.asvar:
            context[self.asvar] = path
            return ""
        return conditional_escape(path) if context.autoescape else path


@lru_cache(maxsize=8192)
def _address(prefix: str, name: str, arguments: tuple[Any, ...]) -> str:
    return reverse(name, args=arguments)


@register.tag
def url(parser: Parser, token: Token) -> Link:
    node = django_url(parser, token)
    return Link(node.view_name, node.args, node.kwargs, node.asvar)


@register.filter
def plain(key: str) -> str:
    """The label of a kind, phase, priority, offline action or role."""
    return PLAIN.get(str(key)) or str(key).replace("_", " ").capitalize()


@register.filter
def field_label(key: str) -> str:
    return FIELDS.get(str(key)) or str(key).replace("_", " ").capitalize()


@register.filter
def field_value(value: Any, name: str = "") -> str:
    """A setting in words: memory with its unit, labels for choices, a dash for nothing."""
    if value is None or value == "" or value == []:
        return DASH
    if name == "memory_mib" and isinstance(value, int):
        return words.memory(value)
    if name in {"offline_action", "priority", "allow_unsafe_migration"}:
        return plain(str(value))
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list | tuple):
        return ", ".join(field_value(each) for each in value)
    if isinstance(value, dict):
        return " · ".join(str(each) for each in value.values() if each not in ("", None, False))
    return str(value)


@register.filter
def memory(mib: float | None) -> str:
    return DASH if mib is None else words.memory(mib)


@register.filter
def size(amount: float | None) -> str:
    """Bytes in binary units: 3328599654 -> "3.1 GB"."""
    if amount in (None, ""):
        return DASH
    value, units = float(amount), ["B", "KB", "MB", "GB", "TB", "PB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    digits = 0 if value >= 100 or units[0] in {"B", "KB"} else 1
    return f"{value:.{digits}f}".removesuffix(".0") + f" {units[0]}"


@register.filter
def rate(amount: float | None) -> str:
    return DASH if not amount else f"{size(amount)}/s"


@register.filter
def percent(value: float | None) -> str:
    # Rounded down: nothing reads as whole before it is.
    return DASH if value in (None, "") else f"{int(value)}%"


@register.filter
def share(value: float) -> str:
    """A percentage in which little is not nothing: small guests on a large host are "<1%"."""
    return "<1%" if 0 < value < 1 else percent(value)


@register.filter
def eta(seconds: float | None) -> str:
    """Coarse on purpose: "~20 s", "~3 min", "over 1 h"."""
    if seconds in (None, ""):  # the first figures of an operation are still to come
        return DASH
    if seconds < 60:
        step = 1 if seconds < 10 else 5
        return f"~{max(1, round(seconds / step) * step)} s"
    return f"~{round(seconds / 60)} min" if seconds < 3600 else "over 1 h"


@register.filter
def took(seconds: float | None) -> str:
    return DASH if seconds is None else words.duration(seconds)


@register.simple_tag
def when(moment: datetime | None, style: str = "ago") -> SafeString:
    """UTC in the page; the browser shows its own zone. Styles: ago ("3 min ago"), time, span (up time)."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', DASH)
    machine, full = _stamp(moment)
    text = _span(moment) if style == "span" else full
    # Digits and a word of the template: nothing in it could need to be escaped.
    return mark_safe(f'<time datetime="{machine}" data-as="{style}" title="{full}">{text}</time>')


@lru_cache(maxsize=8192)
def _stamp(moment: datetime) -> tuple[str, str]:
    """As machines read it, and as people do."""
    utc = moment.astimezone(UTC)
    machine = utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return machine, utc.strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(since: datetime) -> str:
    seconds = max(0.0, (clock().now() - since).total_seconds())
    days, rest = divmod(int(seconds), 86400)
    return f"{days} d" if days else f"{rest // 3600} h" if rest >= 3600 else f"{rest // 60} min"


@register.filter
def sentence(event: Any) -> str:
    """An event in words. Names that the row links to need not stand in its parameters."""
    found = dict(event.params)
    if event.vm is not None:
        found.setdefault("vm", event.vm.name)
    if event.node is not None:
        found.setdefault("node", event.node.name)
    return events.sentence(event.code, found)


@register.filter
def named(event: Any, what: str) -> str:
    """The name of an event's "vm" or "node", also when it left the cluster since; empty for none."""
    row = getattr(event, what)
    return str(row.name if row is not None else event.params.get(what, ""))


@register.simple_tag(takes_context=True)
def region_url(context: template.Context, region: str) -> str:
    """The address of the page as it stands, that answers this region alone."""
    return address(context, region=region)


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """The page's address with other parameters: `{% with_query sort="-cpu" offset="" %}`."""
    return address(context, **{"region": "", **changes})


def address(context: template.Context, **changes: object) -> str:
    request = context["request"]
    # A form that came back with errors stands at an address whose GET is the fresh form.
    query: QueryDict = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in ("", None):
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


@register.simple_tag
def idempotency_key() -> SafeString:
    """A hidden field: the same form sent twice is one order."""
    return format_html('<input type="hidden" name="key" value="{}">', new_id())


@register.simple_tag
def flag(condition: Any, text: str, otherwise: str = "") -> str:
    """An attribute's value by a condition."""
    return text if condition else otherwise


@register.simple_tag
def state_icon(key: str, last_known: bool = False) -> SafeString:
    """The icon alone, with its word for screen readers: for the tree."""
    return _state_icon(str(key), last_known)


@lru_cache(maxsize=64)
def _state_icon(key: str, last_known: bool) -> SafeString:
    found = look(STATES, key)
    if last_known:
        found = NO_LOOK._replace(word=f"Last known: {found.word}")
    return format_html(
        '<span class="tone-{}" title="{}">{}<span class="sr">{}</span></span>',
        found.tone,
        found.word,
        icon(found.icon),
        found.word,
    )
