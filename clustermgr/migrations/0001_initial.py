import clustermgr.core.states
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Cluster",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, unique=True)),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("version", models.PositiveBigIntegerField(default=1)),
                ("live_migrations_per_node", models.PositiveSmallIntegerField(default=1)),
                (
                    "migration_bandwidth_mib_s",
                    models.PositiveIntegerField(default=0, help_text="0: no limit"),
                ),
                (
                    "allow_unsafe_migration",
                    models.BooleanField(
                        default=False,
                        help_text="the CSV is a plain shared directory which libvirt takes for a local one",
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            (clustermgr.core.states.Role["VIEWER"], clustermgr.core.states.Role["VIEWER"]),
                            (
                                clustermgr.core.states.Role["OPERATOR"],
                                clustermgr.core.states.Role["OPERATOR"],
                            ),
                            (
                                clustermgr.core.states.Role["ADMINISTRATOR"],
                                clustermgr.core.states.Role["ADMINISTRATOR"],
                            ),
                        ],
                        default=clustermgr.core.states.Role["VIEWER"],
                        max_length=20,
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="membership",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Node",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("driver", models.CharField(max_length=20)),
                ("address", models.CharField(max_length=300)),
                ("migration_address", models.CharField(blank=True, max_length=300)),
                ("host_uuid", models.CharField(blank=True, max_length=36)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.NodeState["JOINING"],
                                clustermgr.core.states.NodeState["JOINING"],
                            ),
                            (clustermgr.core.states.NodeState["UP"], clustermgr.core.states.NodeState["UP"]),
                            (
                                clustermgr.core.states.NodeState["ISOLATED"],
                                clustermgr.core.states.NodeState["ISOLATED"],
                            ),
                            (
                                clustermgr.core.states.NodeState["AGENT_DOWN"],
                                clustermgr.core.states.NodeState["AGENT_DOWN"],
                            ),
                            (
                                clustermgr.core.states.NodeState["DOWN"],
                                clustermgr.core.states.NodeState["DOWN"],
                            ),
                            (
                                clustermgr.core.states.NodeState["PAUSED"],
                                clustermgr.core.states.NodeState["PAUSED"],
                            ),
                            (
                                clustermgr.core.states.NodeState["QUARANTINED"],
                                clustermgr.core.states.NodeState["QUARANTINED"],
                            ),
                        ],
                        default=clustermgr.core.states.NodeState["JOINING"],
                        max_length=20,
                    ),
                ),
                ("state_since", models.DateTimeField()),
                ("state_reason", models.CharField(blank=True, max_length=300)),
                ("paused", models.BooleanField(default=False)),
                ("observed_at", models.DateTimeField(help_text="when the host last answered", null=True)),
                ("hypervisor", models.CharField(blank=True, max_length=60)),
                ("simulated", models.BooleanField(default=False)),
                ("cpus", models.PositiveIntegerField(default=0)),
                ("memory_mib", models.PositiveIntegerField(default=0)),
                ("cpu_model", models.CharField(blank=True, max_length=100)),
                ("cpu_features", models.JSONField(default=list)),
                ("networks", models.JSONField(default=list)),
                ("capabilities", models.JSONField(default=list)),
                ("cpu_percent", models.FloatField(null=True)),
                ("memory_used_mib", models.PositiveIntegerField(null=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="nodes",
                        to="clustermgr.cluster",
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Network",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("use", models.CharField(default="Cluster and client", max_length=40)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="networks",
                        to="clustermgr.cluster",
                    ),
                ),
                ("nodes", models.ManyToManyField(related_name="carried_networks", to="clustermgr.node")),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "level",
                    models.CharField(
                        choices=[
                            (clustermgr.core.states.Level["INFO"], clustermgr.core.states.Level["INFO"]),
                            (
                                clustermgr.core.states.Level["WARNING"],
                                clustermgr.core.states.Level["WARNING"],
                            ),
                            (clustermgr.core.states.Level["ERROR"], clustermgr.core.states.Level["ERROR"]),
                            (
                                clustermgr.core.states.Level["CRITICAL"],
                                clustermgr.core.states.Level["CRITICAL"],
                            ),
                        ],
                        default=clustermgr.core.states.Level["INFO"],
                        max_length=10,
                    ),
                ),
                ("code", models.CharField(max_length=40)),
                ("params", models.JSONField(default=dict)),
                ("actor", models.CharField(blank=True, max_length=150)),
                (
                    "cause",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="effects",
                        to="clustermgr.event",
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="clustermgr.cluster",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="events",
                        to="clustermgr.node",
                    ),
                ),
            ],
            options={
                "ordering": ("-at", "-id"),
            },
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.OperationKind["LIVE_MIGRATION"],
                                clustermgr.core.states.OperationKind["LIVE_MIGRATION"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["QUICK_MIGRATION"],
                                clustermgr.core.states.OperationKind["QUICK_MIGRATION"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["MOVE"],
                                clustermgr.core.states.OperationKind["MOVE"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["START"],
                                clustermgr.core.states.OperationKind["START"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["SHUT_DOWN"],
                                clustermgr.core.states.OperationKind["SHUT_DOWN"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["TURN_OFF"],
                                clustermgr.core.states.OperationKind["TURN_OFF"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["SAVE"],
                                clustermgr.core.states.OperationKind["SAVE"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["SETTINGS"],
                                clustermgr.core.states.OperationKind["SETTINGS"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["REFRESH"],
                                clustermgr.core.states.OperationKind["REFRESH"],
                            ),
                            (
                                clustermgr.core.states.OperationKind["RECOVERY"],
                                clustermgr.core.states.OperationKind["RECOVERY"],
                            ),
                        ],
                        max_length=20,
                    ),
                ),
                ("params", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.OperationState["QUEUED"],
                                clustermgr.core.states.OperationState["QUEUED"],
                            ),
                            (
                                clustermgr.core.states.OperationState["RUNNING"],
                                clustermgr.core.states.OperationState["RUNNING"],
                            ),
                            (
                                clustermgr.core.states.OperationState["CANCELLING"],
                                clustermgr.core.states.OperationState["CANCELLING"],
                            ),
                            (
                                clustermgr.core.states.OperationState["SUCCEEDED"],
                                clustermgr.core.states.OperationState["SUCCEEDED"],
                            ),
                            (
                                clustermgr.core.states.OperationState["FAILED"],
                                clustermgr.core.states.OperationState["FAILED"],
                            ),
                            (
                                clustermgr.core.states.OperationState["CANCELLED"],
                                clustermgr.core.states.OperationState["CANCELLED"],
                            ),
                        ],
                        default=clustermgr.core.states.OperationState["QUEUED"],
                        max_length=12,
                    ),
                ),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            (clustermgr.core.states.Phase["QUEUED"], clustermgr.core.states.Phase["QUEUED"]),
                            (
                                clustermgr.core.states.Phase["PREPARING"],
                                clustermgr.core.states.Phase["PREPARING"],
                            ),
                            (
                                clustermgr.core.states.Phase["COPYING"],
                                clustermgr.core.states.Phase["COPYING"],
                            ),
                            (
                                clustermgr.core.states.Phase["SWITCHING"],
                                clustermgr.core.states.Phase["SWITCHING"],
                            ),
                            (clustermgr.core.states.Phase["SAVING"], clustermgr.core.states.Phase["SAVING"]),
                            (
                                clustermgr.core.states.Phase["RESTORING"],
                                clustermgr.core.states.Phase["RESTORING"],
                            ),
                            (
                                clustermgr.core.states.Phase["STOPPING"],
                                clustermgr.core.states.Phase["STOPPING"],
                            ),
                            (
                                clustermgr.core.states.Phase["STARTING"],
                                clustermgr.core.states.Phase["STARTING"],
                            ),
                            (
                                clustermgr.core.states.Phase["APPLYING"],
                                clustermgr.core.states.Phase["APPLYING"],
                            ),
                            (
                                clustermgr.core.states.Phase["CLEANING_UP"],
                                clustermgr.core.states.Phase["CLEANING_UP"],
                            ),
                            (clustermgr.core.states.Phase["DONE"], clustermgr.core.states.Phase["DONE"]),
                        ],
                        default=clustermgr.core.states.Phase["QUEUED"],
                        max_length=16,
                    ),
                ),
                (
                    "step",
                    models.CharField(
                        default="begin", help_text="where the next owner goes on", max_length=24
                    ),
                ),
                (
                    "memory",
                    models.JSONField(default=dict, help_text="what steps must remember between owners"),
                ),
                ("wait_reason", models.CharField(blank=True, max_length=300)),
                (
                    "outcome",
                    models.CharField(blank=True, help_text="how it ended, one sentence", max_length=500),
                ),
                (
                    "advice",
                    models.CharField(
                        blank=True, help_text="what the administrator can do next", max_length=300
                    ),
                ),
                ("raw_reason", models.TextField(blank=True, help_text="the hypervisor's own words")),
                (
                    "progress",
                    models.JSONField(default=dict, help_text="numbers for the bar; see core.progress"),
                ),
                ("requested_by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("idempotency_key", models.CharField(max_length=64, null=True, unique=True)),
                ("priority", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("cancel_requested_by", models.CharField(blank=True, max_length=150)),
                ("lease_owner", models.CharField(blank=True, max_length=40)),
                ("lease_expires", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField(help_text="no step before this time", null=True)),
                (
                    "cause",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="led_to",
                        to="clustermgr.event",
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="operations",
                        to="clustermgr.cluster",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="children",
                        to="clustermgr.operation",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operations_from",
                        to="clustermgr.node",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="operations_to",
                        to="clustermgr.node",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at", "-id"),
            },
        ),
        migrations.AddField(
            model_name="event",
            name="operation",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="events",
                to="clustermgr.operation",
            ),
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("username", models.CharField(max_length=150)),
                (
                    "origin",
                    models.CharField(help_text="web 192.0.2.7, command line, cluster ...", max_length=60),
                ),
                ("verb", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=200)),
                ("params", models.JSONField(default=dict)),
                ("accepted", models.BooleanField()),
                ("answer", models.CharField(blank=True, max_length=500)),
                (
                    "user",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="audit",
                        to="clustermgr.cluster",
                    ),
                ),
                (
                    "operation",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="audit",
                        to="clustermgr.operation",
                    ),
                ),
            ],
            options={
                "ordering": ("-at", "-id"),
            },
        ),
        migrations.CreateModel(
            name="SignInLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Slot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slots",
                        to="clustermgr.node",
                    ),
                ),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="slots",
                        to="clustermgr.operation",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Vm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.CharField(max_length=36)),
                ("name", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (clustermgr.core.states.VmState["OFF"], clustermgr.core.states.VmState["OFF"]),
                            (
                                clustermgr.core.states.VmState["STARTING"],
                                clustermgr.core.states.VmState["STARTING"],
                            ),
                            (
                                clustermgr.core.states.VmState["RUNNING"],
                                clustermgr.core.states.VmState["RUNNING"],
                            ),
                            (
                                clustermgr.core.states.VmState["PAUSED"],
                                clustermgr.core.states.VmState["PAUSED"],
                            ),
                            (
                                clustermgr.core.states.VmState["PAUSED_CRITICAL"],
                                clustermgr.core.states.VmState["PAUSED_CRITICAL"],
                            ),
                            (
                                clustermgr.core.states.VmState["SAVING"],
                                clustermgr.core.states.VmState["SAVING"],
                            ),
                            (
                                clustermgr.core.states.VmState["SAVED"],
                                clustermgr.core.states.VmState["SAVED"],
                            ),
                            (
                                clustermgr.core.states.VmState["STOPPING"],
                                clustermgr.core.states.VmState["STOPPING"],
                            ),
                            (
                                clustermgr.core.states.VmState["MIGRATING"],
                                clustermgr.core.states.VmState["MIGRATING"],
                            ),
                            (
                                clustermgr.core.states.VmState["UNMONITORED"],
                                clustermgr.core.states.VmState["UNMONITORED"],
                            ),
                            (
                                clustermgr.core.states.VmState["FAILED"],
                                clustermgr.core.states.VmState["FAILED"],
                            ),
                            (
                                clustermgr.core.states.VmState["UNKNOWN"],
                                clustermgr.core.states.VmState["UNKNOWN"],
                            ),
                        ],
                        default=clustermgr.core.states.VmState["UNKNOWN"],
                        max_length=20,
                    ),
                ),
                ("state_since", models.DateTimeField()),
                ("state_reason", models.CharField(blank=True, max_length=300)),
                ("observed_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("cpu_percent", models.FloatField(null=True)),
                ("memory_used_mib", models.PositiveIntegerField(null=True)),
                (
                    "wanted",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.Wanted["RUNNING"],
                                clustermgr.core.states.Wanted["RUNNING"],
                            ),
                            (clustermgr.core.states.Wanted["OFF"], clustermgr.core.states.Wanted["OFF"]),
                            (
                                clustermgr.core.states.Wanted["IGNORED"],
                                clustermgr.core.states.Wanted["IGNORED"],
                            ),
                        ],
                        default=clustermgr.core.states.Wanted["OFF"],
                        max_length=10,
                    ),
                ),
                (
                    "priority",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.Priority["HIGH"],
                                clustermgr.core.states.Priority["HIGH"],
                            ),
                            (
                                clustermgr.core.states.Priority["MEDIUM"],
                                clustermgr.core.states.Priority["MEDIUM"],
                            ),
                            (clustermgr.core.states.Priority["LOW"], clustermgr.core.states.Priority["LOW"]),
                            (
                                clustermgr.core.states.Priority["NO_AUTO_START"],
                                clustermgr.core.states.Priority["NO_AUTO_START"],
                            ),
                        ],
                        default=clustermgr.core.states.Priority["MEDIUM"],
                        max_length=20,
                    ),
                ),
                (
                    "offline_action",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.OfflineAction["SAVE"],
                                clustermgr.core.states.OfflineAction["SAVE"],
                            ),
                            (
                                clustermgr.core.states.OfflineAction["SHUT_DOWN"],
                                clustermgr.core.states.OfflineAction["SHUT_DOWN"],
                            ),
                            (
                                clustermgr.core.states.OfflineAction["SHUT_DOWN_FORCED"],
                                clustermgr.core.states.OfflineAction["SHUT_DOWN_FORCED"],
                            ),
                            (
                                clustermgr.core.states.OfflineAction["TURN_OFF"],
                                clustermgr.core.states.OfflineAction["TURN_OFF"],
                            ),
                        ],
                        default=clustermgr.core.states.OfflineAction["SAVE"],
                        max_length=20,
                    ),
                ),
                ("preferred_owners", models.JSONField(default=list, help_text="node ids, the best first")),
                ("possible_owners", models.JSONField(default=list, help_text="node ids; empty: every node")),
                ("memory_mib", models.PositiveIntegerField()),
                ("vcpus", models.PositiveIntegerField()),
                ("notes", models.TextField(blank=True)),
                ("settings", models.JSONField(default=dict, help_text="the rest of the agreed settings")),
                (
                    "definition",
                    models.TextField(blank=True, help_text="complete definition, encrypted at rest"),
                ),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("config_version", models.PositiveIntegerField(default=1)),
                ("saved_file", models.CharField(blank=True, max_length=300)),
                ("saved_spent", models.BooleanField(default=False, help_text="restored once: never again")),
                (
                    "restarts",
                    models.PositiveIntegerField(default=0, help_text="in the present restart period"),
                ),
                ("restarts_since", models.DateTimeField(null=True)),
                (
                    "failovers",
                    models.PositiveIntegerField(default=0, help_text="in the present failure period"),
                ),
                ("failovers_since", models.DateTimeField(null=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="vms",
                        to="clustermgr.cluster",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="vms", to="clustermgr.node"
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.AddField(
            model_name="operation",
            name="vm",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="operations", to="clustermgr.vm"
            ),
        ),
        migrations.CreateModel(
            name="Holder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField()),
                ("because", models.CharField(max_length=40)),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="held", to="clustermgr.node"
                    ),
                ),
                (
                    "vm",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="holders",
                        to="clustermgr.vm",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="event",
            name="vm",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="events",
                to="clustermgr.vm",
            ),
        ),
        migrations.CreateModel(
            name="Drift",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("found_at", models.DateTimeField()),
                ("read_at", models.DateTimeField()),
                ("fields", models.JSONField(help_text="[{field, cluster, host, running}]")),
                (
                    "fingerprint",
                    models.CharField(
                        help_text="of the host's configuration that was compared", max_length=64
                    ),
                ),
                ("definition", models.TextField(help_text="the host's definition, encrypted at rest")),
                ("settings", models.JSONField(default=dict)),
                (
                    "vm",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="drift", to="clustermgr.vm"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Volume",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            (
                                clustermgr.core.states.VolumeKind["CSV"],
                                clustermgr.core.states.VolumeKind["CSV"],
                            ),
                            (
                                clustermgr.core.states.VolumeKind["DISK"],
                                clustermgr.core.states.VolumeKind["DISK"],
                            ),
                        ],
                        max_length=10,
                    ),
                ),
                ("path", models.CharField(blank=True, max_length=300)),
                ("file_system", models.CharField(blank=True, max_length=40)),
                ("capacity_bytes", models.PositiveBigIntegerField(default=0)),
                ("used_bytes", models.PositiveBigIntegerField(default=0)),
                ("observed_at", models.DateTimeField(null=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="volumes",
                        to="clustermgr.cluster",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disks",
                        to="clustermgr.node",
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.AddField(
            model_name="vm",
            name="volume",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="vms",
                to="clustermgr.volume",
            ),
        ),
        migrations.CreateModel(
            name="VolumeAccess",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("active", models.BooleanField()),
                ("reachable", models.BooleanField()),
                ("observed_at", models.DateTimeField()),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="volume_access",
                        to="clustermgr.node",
                    ),
                ),
                (
                    "volume",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access",
                        to="clustermgr.volume",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WatchShard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("lease_owner", models.CharField(blank=True, max_length=40)),
                ("lease_expires", models.DateTimeField(null=True)),
                ("heard_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "cluster",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="watch",
                        to="clustermgr.cluster",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.UniqueConstraint(
                models.F("cluster"),
                django.db.models.functions.text.Lower("name"),
                name="node_name_once_per_cluster",
            ),
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.UniqueConstraint(fields=("driver", "address"), name="host_in_one_cluster"),
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.UniqueConstraint(
                condition=models.Q(("host_uuid", ""), _negated=True),
                fields=("host_uuid",),
                name="host_uuid_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            clustermgr.core.states.NodeState["JOINING"],
                            clustermgr.core.states.NodeState["UP"],
                            clustermgr.core.states.NodeState["ISOLATED"],
                            clustermgr.core.states.NodeState["AGENT_DOWN"],
                            clustermgr.core.states.NodeState["DOWN"],
                            clustermgr.core.states.NodeState["PAUSED"],
                            clustermgr.core.states.NodeState["QUARANTINED"],
                        ],
                    )
                ),
                name="node_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="network",
            constraint=models.UniqueConstraint(fields=("cluster", "name"), name="network_name_once"),
        ),
        migrations.AddConstraint(
            model_name="slot",
            constraint=models.UniqueConstraint(fields=("node", "number"), name="slot_taken_once"),
        ),
        migrations.AddConstraint(
            model_name="slot",
            constraint=models.UniqueConstraint(fields=("node", "operation"), name="slot_once_per_operation"),
        ),
        migrations.AddIndex(
            model_name="operation",
            index=models.Index(
                fields=["cluster", "state", "-created_at"], name="clustermgr__cluster_3c3af9_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="operation",
            index=models.Index(fields=["state", "lease_expires"], name="clustermgr__state_beb002_idx"),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["queued", "running", "cancelling"])),
                fields=("vm",),
                name="one_change_at_a_time_per_vm",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            clustermgr.core.states.OperationState["QUEUED"],
                            clustermgr.core.states.OperationState["RUNNING"],
                            clustermgr.core.states.OperationState["CANCELLING"],
                            clustermgr.core.states.OperationState["SUCCEEDED"],
                            clustermgr.core.states.OperationState["FAILED"],
                            clustermgr.core.states.OperationState["CANCELLED"],
                        ],
                    )
                ),
                name="operation_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="holder",
            constraint=models.UniqueConstraint(fields=("vm", "node"), name="holder_once"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["cluster", "-at", "-id"], name="clustermgr__cluster_78870b_idx"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["vm", "-at"], name="clustermgr__vm_id_d3fdf4_idx"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["node", "-at"], name="clustermgr__node_id_d7c21a_idx"),
        ),
        migrations.AddConstraint(
            model_name="volume",
            constraint=models.UniqueConstraint(fields=("cluster", "name"), name="volume_name_once"),
        ),
        migrations.AddConstraint(
            model_name="volume",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [clustermgr.core.states.VolumeKind["CSV"], clustermgr.core.states.VolumeKind["DISK"]],
                    )
                ),
                name="volume_kind_known",
            ),
        ),
        migrations.AddIndex(
            model_name="vm",
            index=models.Index(fields=["cluster", "state"], name="clustermgr__cluster_1ced4a_idx"),
        ),
        migrations.AddIndex(
            model_name="vm",
            index=models.Index(fields=["cluster", "owner"], name="clustermgr__cluster_aad148_idx"),
        ),
        migrations.AddConstraint(
            model_name="vm",
            constraint=models.UniqueConstraint(fields=("cluster", "uuid"), name="vm_once_per_cluster"),
        ),
        migrations.AddConstraint(
            model_name="vm",
            constraint=models.UniqueConstraint(
                models.F("cluster"),
                django.db.models.functions.text.Lower("name"),
                name="vm_name_once_per_cluster",
            ),
        ),
        migrations.AddConstraint(
            model_name="vm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            clustermgr.core.states.VmState["OFF"],
                            clustermgr.core.states.VmState["STARTING"],
                            clustermgr.core.states.VmState["RUNNING"],
                            clustermgr.core.states.VmState["PAUSED"],
                            clustermgr.core.states.VmState["PAUSED_CRITICAL"],
                            clustermgr.core.states.VmState["SAVING"],
                            clustermgr.core.states.VmState["SAVED"],
                            clustermgr.core.states.VmState["STOPPING"],
                            clustermgr.core.states.VmState["MIGRATING"],
                            clustermgr.core.states.VmState["UNMONITORED"],
                            clustermgr.core.states.VmState["FAILED"],
                            clustermgr.core.states.VmState["UNKNOWN"],
                        ],
                    )
                ),
                name="vm_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="vm",
            constraint=models.CheckConstraint(
                condition=models.Q(("memory_mib__gt", 0)), name="vm_has_memory"
            ),
        ),
        migrations.AddConstraint(
            model_name="vm",
            constraint=models.CheckConstraint(condition=models.Q(("vcpus__gt", 0)), name="vm_has_processors"),
        ),
        migrations.AddConstraint(
            model_name="volumeaccess",
            constraint=models.UniqueConstraint(fields=("volume", "node"), name="volume_access_once"),
        ),
    ]
