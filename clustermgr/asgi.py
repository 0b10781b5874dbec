"""The web process: pages over HTTP, live news over the socket."""

import os
import warnings

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application
from django.urls import path

# Static files are small and read from memory's cache; the warning would stand in the log of every start.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clustermgr.settings")
pages = get_asgi_application()

from clustermgr.live.consumer import LiveConsumer  # noqa: E402  (needs the apps to be ready)
from clustermgr.live.origin import SameOrigin  # noqa: E402
from clustermgr.monitor.health import Health  # noqa: E402
from clustermgr.web.bodies import BodyLimit  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": Health(BodyLimit(pages)),
        "websocket": AllowedHostsOriginValidator(
            SameOrigin(SessionMiddlewareStack(URLRouter([path("ws/ui/", LiveConsumer.as_asgi())])))
        ),
    }
)
