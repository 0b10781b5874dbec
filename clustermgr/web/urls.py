"""Addresses of the HTML entrance (ui.md 1). Objects go by id; `@name` leads to the id."""

from django.urls import path, register_converter
from django.urls.converters import IntConverter

from clustermgr.web import (
    accounts,
    audit,
    clusters,
    events,
    hosts,
    management,
    move,
    nodes,
    operations,
    power,
    properties,
    refresh,
    removal,
    roles,
    settings,
    tokens,
    volumes,
)


class IdConverter(IntConverter):
    """A primary key: never a number that a database column cannot hold."""

    regex = "[0-9]{1,15}"


register_converter(IdConverter, "id")

C = "c/<slug:slug>/"
ROLE = C + "roles/<id:pk>/"

urlpatterns = [
    path("", clusters.chooser, name="chooser"),
    path("sign-in/", accounts.sign_in, name="sign-in"),
    path("sign-in/<str:token>/", accounts.sign_in_link, name="sign-in-link"),
    path("sign-out/", accounts.sign_out, name="sign-out"),
    path("settings/tokens/", tokens.tokens, name="tokens"),
    path("settings/tokens/<id:pk>/revoke/", tokens.revoke, name="token-revoke"),
    path("clusters/new/", hosts.create_cluster, name="cluster-new"),
    path(C, clusters.overview, name="overview"),
    path(C + "roles/", roles.role_list, name="roles"),
    path(C + "roles/@<str:name>/", roles.role_by_name, name="role-by-name"),
    path(ROLE, roles.role, name="role"),
    path(ROLE + "configuration/", roles.role, {"tab": "configuration"}, name="role-configuration"),
    path(ROLE + "migrations/", roles.role, {"tab": "moves"}, name="role-moves"),
    path(ROLE + "events/", roles.role, {"tab": "events"}, name="role-events"),
    path(ROLE + "settings/", settings.settings, name="settings"),
    path(ROLE + "refresh/", refresh.refresh, name="refresh"),
    path(ROLE + "move/", move.move, name="move"),
    path(ROLE + "power/<slug:name>/", power.power, name="power"),
    path(ROLE + "remove/", removal.remove, name="remove"),
    path(C + "nodes/", nodes.node_list, name="nodes"),
    path(C + "nodes/@<str:name>/", nodes.node_by_name, name="node-by-name"),
    path(C + "nodes/add/", hosts.add_node, name="node-add"),
    path(C + "nodes/tests/<id:pk>/", hosts.test, name="node-test"),
    path(C + "nodes/tests/<id:pk>/key/", hosts.confirm_host_key, name="node-test-key"),
    path(C + "nodes/tests/<id:pk>/use/", hosts.use, name="node-test-use"),
    path(C + "nodes/<id:pk>/", nodes.node, name="node"),
    path(C + "nodes/<id:pk>/access/", hosts.change_access, name="node-access"),
    path(C + "nodes/<id:pk>/evict/", hosts.evict, name="node-evict"),
    path(C + "storage/volumes/", nodes.storage, name="storage"),
    path(C + "storage/volumes/<id:pk>/declare/", volumes.declare, name="volume-declare"),
    path(C + "networks/", nodes.networks, name="networks"),
    path(C + "migrations/", operations.migrations, name="migrations"),
    path(C + "tasks/", operations.tasks, name="tasks"),
    path(C + "tasks/<id:pk>/", operations.task, name="task"),
    path(C + "tasks/<id:pk>/cancel/", operations.cancel, name="cancel"),
    path(C + "events/", events.event_list, name="events"),
    path(C + "events/<id:pk>/", events.event, name="event"),
    path(C + "audit/", audit.audit, name="audit"),
    path(C + "management/", management.management, name="management"),
    path(C + "properties/", properties.properties, name="properties"),
]
