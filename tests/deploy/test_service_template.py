"""The services' template: what each role may do, how it runs and how it scales."""

import json

import pytest

from orderstore.registry import CONSUMERS
from tests.cloudformation import DEPLOY, PARAMETERS, Template, as_list, statements
from workers.settings import ROLES, from_environment

ACCOUNT = "eu-west-1:111122223333"
EVENTS = f"arn:aws:dynamodb:{ACCOUNT}:table/shop-events"
READS_LOG = {"GetItem", "Query"}
READS_STREAM = {"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}
HOLDS_LEASES = {"Query", "PutItem", "DeleteItem"}
PARKS = {"Query", "PutItem", "UpdateItem"}  # only a person releases an order
# What the adapters call, by role and table: nothing missing, nothing to spare. (TransactWriteItems asks for the right of each operation
# in it, BatchExecuteStatement for that of each statement.)
TABLES = {
    "api": {
        "events": {*READS_LOG, "PutItem"},
        "views": {"BatchGetItem", "Query"},
        "views/index/*": {"BatchGetItem", "Query"},
        "privacy-keys": {"GetItem", "PutItem"},
        "leases": {"Query"},  # the publication mark of every status answer
        "parked": {"Query"},  # and what the relay left behind
        "inbox": {"GetItem", "BatchGetItem", "Query", "UpdateItem"},
        "inbox/index/by_number": {"Query"},  # these two: of the build before
        "inbox/index/by_unread": {"Query"},
        "webhook-endpoints": {"GetItem", "Scan", "PutItem", "UpdateItem"},
        "webhook-deliveries": {"GetItem", "PutItem", "UpdateItem"},
        "webhook-deliveries/index/by_endpoint": {"Query"},
    },
    "projector": {
        "events": {*READS_LOG, "Scan"},
        "events/stream/*": READS_STREAM,
        "leases": HOLDS_LEASES,
        "parked": PARKS,
        "views": {"BatchGetItem", "PartiQLInsert", "PartiQLUpdate", "PutItem", "UpdateItem"},
        "views/index/*": {"Query"},  # how many orders are late
    },
    "relay": {
        "events": {*READS_LOG, "Scan"},
        "events/stream/*": READS_STREAM,
        "leases": HOLDS_LEASES,
        "parked": PARKS,
        "archive": {"GetItem"},  # whether a restore is under way
    },
    "payment": {
        "events": {*READS_LOG, "PutItem"},
        "payments": {"GetItem", "PutItem", "UpdateItem", "Scan"},  # Scan: the daily reconciliation
        "sandbox": {"GetItem", "PutItem"},
    },
    "inventory": {
        "events": {*READS_LOG, "PutItem"},
        "inventory": {
            "GetItem",
            "BatchGetItem",
            "PutItem",
            "UpdateItem",
            "ConditionCheckItem",
            "Scan",
        },  # Scan: daily, as above
    },
    "shipping": {"events": {*READS_LOG, "PutItem"}, "sandbox": {"GetItem", "PutItem"}},
    "billing": {
        "events": {*READS_LOG, "PutItem"},
        "series": {"GetItem", "UpdateItem"},
        "privacy-keys": {"GetItem", "PutItem"},
    },
    "notification": {
        "events": READS_LOG,
        "notifications": {
            "GetItem",
            "BatchGetItem",
            "Query",
            "PutItem",
            "UpdateItem",
        },  # BatchGetItem: of the build before
        "suppressions": {"GetItem", "PutItem", "UpdateItem"},
        "inbox": {"GetItem", "PutItem", "UpdateItem"},
        "privacy-keys": {"GetItem", "PutItem"},  # PutItem: the key of the suppression list's hashes
    },
    "webhooks": {
        "webhook-endpoints": {"GetItem", "Scan", "UpdateItem"},
        "webhook-deliveries": {"GetItem", "PutItem", "UpdateItem"},
        "webhook-deliveries/index/by_due": {"Query"},
        "privacy-keys": {"GetItem"},
    },
    "archive": {"events": {*READS_LOG, "Scan"}, "archive": {"GetItem", "BatchGetItem", "UpdateItem"}},
    "sweeper": {
        "events": {*READS_LOG, "PutItem", "Scan"},
        "views": {"BatchGetItem"},
        "views/index/*": {"Query"},
        "series": {"GetItem"},
        "inventory": {"GetItem", "BatchGetItem"},
        "payments": {"GetItem", "PutItem", "UpdateItem"},  # which days are reconciled, under keys of its own
    },
    "intake": {
        "events": {*READS_LOG, "PutItem"},
        "intake-files": {"GetItem", "BatchGetItem", "PutItem", "UpdateItem"},
        "privacy-keys": {"GetItem", "PutItem"},
    },
}
BLOBS = "arn:aws:s3:::shop-blobs-111122223333"
SELLERS = (
    '{"seller": [{"id": "gb", "name": "Acme Ltd", "address": ["1 High Street"],'
    ' "series": [{"channels": ["*"], "invoices": "INV", "credit_notes": "CN"}]}]}'
)
NOT_READING_THE_LOG = {"webhooks"}
APPENDING = {"api", "payment", "inventory", "shipping", "billing", "intake", "sweeper"}
DEPARTMENTS = ("payment", "inventory", "shipping", "billing")
CONSUMING = (*CONSUMERS, "intake")
"""Every role with a queue: the topic's, and the one that hears the bus."""
REWRITES = {
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:DeleteTable",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
}


@pytest.fixture(scope="module")
def template() -> Template:
    return Template("service.yaml")


@pytest.fixture(scope="module")
def allowed(template):
    """What each role's task role allows: statements by role."""
    roles = template.of_type("AWS::IAM::Role")
    return {
        role: [
            statement
            for policy in roles[f"{role.capitalize()}TaskRole"]["Properties"]["Policies"]
            for statement in statements(policy["PolicyDocument"])
        ]
        for role in ROLES
    }


@pytest.fixture(scope="module")
def containers(template):
    """The one container of each role's task."""
    tasks = template.of_type("AWS::ECS::TaskDefinition")
    return {role: tasks[f"{role.capitalize()}Task"]["Properties"]["ContainerDefinitions"][0] for role in ROLES}


def actions_on(allowed, role, resource):
    """All actions that a role may do on exactly this resource."""
    return {
        action for statement in allowed[role] if resource in statement["Resource"] for action in statement["Action"]
    }


def test_every_role_is_a_service_with_a_task_and_a_role_of_its_own(template):
    """No two roles share rights, and no service is missing."""  # E083 adapted: eleven roles instead of four functions
    services = template.of_type("AWS::ECS::Service")
    tasks = template.of_type("AWS::ECS::TaskDefinition")
    assert {service["Properties"]["ServiceName"] for service in services.values()} == set(ROLES)
    for role in ROLES:
        name = role.capitalize()
        assert services[f"{name}Service"]["Properties"]["TaskDefinition"] == f"<{name}Task>"
        assert tasks[f"{name}Task"]["Properties"]["TaskRoleArn"] == f"<{name}TaskRole.Arn>"
    assert len(tasks) == len(ROLES)


def test_no_role_may_change_or_remove_an_event(template, allowed):
    """The denial is attached to every task role, covers every way, and no role is allowed one in the first place."""
    policy = template.of_type("AWS::IAM::ManagedPolicy")["NobodyRewritesTheLog"]
    denied = {
        action
        for statement in statements(policy["Properties"]["PolicyDocument"])
        if statement["Effect"] == "Deny" and EVENTS in statement["Resource"] and "Condition" not in statement
        for action in statement["Action"]
    }
    assert denied >= REWRITES
    roles = template.of_type("AWS::IAM::Role")
    for role in ROLES:
        task_role = roles[f"{role.capitalize()}TaskRole"]["Properties"]
        assert "<NobodyRewritesTheLog>" in task_role["ManagedPolicyArns"]
        assert not actions_on(allowed, role, EVENTS) & REWRITES


def test_only_the_roles_that_decide_may_append(allowed):
    """Projector, relay, notification and archive only read the log."""
    appending = {role for role in ROLES if "dynamodb:PutItem" in actions_on(allowed, role, EVENTS)}
    assert appending == APPENDING


def test_only_the_relay_publishes_and_only_to_the_topic(allowed):
    """One publisher, one topic."""  # D28
    publishing = {
        (role, resource)
        for role in ROLES
        for statement in allowed[role]
        if any(action.startswith("sns:") for action in statement["Action"])
        for resource in statement["Resource"]
    }
    assert publishing == {("relay", "<OrderEventsTopicArn>")}


def test_each_consumer_reaches_its_own_queue_and_no_other(allowed):
    """Receiving from its queue; sending to its own dead letters only, and hints. The payment worker wakes the shipping worker when money is
    there again, and itself for who waits for a customer."""  # D29
    for role in ROLES:
        queues = {
            resource
            for statement in allowed[role]
            if any(action.startswith("sqs:") for action in statement["Action"])
            for resource in statement["Resource"]
        }
        own = {f"arn:aws:sqs:{ACCOUNT}:shop-{role}", f"arn:aws:sqs:{ACCOUNT}:shop-{role}-dlq"}
        if role == "notification":  # and what SES tells of its mails
            own |= {f"arn:aws:sqs:{ACCOUNT}:shop-mail-feedback", f"arn:aws:sqs:{ACCOUNT}:shop-mail-feedback-dlq"}
        if role == "payment":
            own |= {f"arn:aws:sqs:{ACCOUNT}:shop-shipping"}
        woken = DEPARTMENTS if role in ("api", "sweeper") else ()
        hints = {f"arn:aws:sqs:{ACCOUNT}:shop-{name}" for name in woken}
        assert queues == (own if role in CONSUMING else hints)
        sends_itself = "sqs:SendMessage" in actions_on(allowed, role, f"arn:aws:sqs:{ACCOUNT}:shop-{role}")
        assert sends_itself == (role in ("intake", "payment"))  # the ranges of a file; what is to be looked at later


def test_each_role_reaches_its_own_tables_and_no_other(allowed):
    """The log, and what the role keeps for itself; on each exactly what its code calls."""  # D29
    prefix = f"arn:aws:dynamodb:{ACCOUNT}:table/shop-"
    for role in ROLES:
        tables = {
            resource.removeprefix(prefix): {action.removeprefix("dynamodb:") for action in actions}
            for resource in {resource for statement in allowed[role] for resource in statement["Resource"]}
            if ":dynamodb:" in resource and (actions := actions_on(allowed, role, resource))
        }
        assert tables == TABLES[role], role


def test_a_body_that_is_missing_is_told_from_one_that_is_forbidden(allowed):
    """S3 answers 404 only to who may list the bucket; to anybody else a lost body would look like trouble, tried again for ever."""
    for role in set(ROLES) - NOT_READING_THE_LOG:
        assert "s3:GetObject" in actions_on(allowed, role, f"{BLOBS}/commits/*")
        assert actions_on(allowed, role, BLOBS) == {"s3:ListBucket"}


def test_proofs_are_written_by_the_archive_alone_and_under_their_lock(allowed):
    """It signs roots and stores them with their retention; it can take nothing away."""
    audit = "arn:aws:s3:::shop-audit-111122223333"
    for role in ROLES:
        own = {"s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"} if role == "archive" else set()
        assert actions_on(allowed, role, f"{audit}/roots/*") == own
        assert actions_on(allowed, role, f"{audit}/leaves/*") == own
        assert actions_on(allowed, role, "<SigningKeyArn>") == ({"kms:Sign", "kms:GetPublicKey"} if own else set())
    for place in ("archive/*", "snapshots/*"):
        writing = {role for role in ROLES if "s3:PutObject" in actions_on(allowed, role, f"{BLOBS}/{place}")}
        assert writing == {"archive"}
    documents = {role: actions_on(allowed, role, f"{BLOBS}/documents/*") for role in ROLES}
    assert documents.pop("billing") == {"s3:GetObject", "s3:PutObject"}
    assert documents.pop("api") == {"s3:GetObject"}
    assert not any(documents.values())
    reading = {role for role in ROLES if "s3:GetObject" in actions_on(allowed, role, f"{BLOBS}/snapshots/*")}
    assert reading == {"payment", "inventory", "shipping", "billing", "archive"}


def test_no_role_has_a_right_of_a_service_that_it_does_not_call(allowed):
    """Whoever adds a call adds the right."""
    consumer = {"dynamodb", "s3", "kms", "sqs"}
    services = {role: {*consumer} for role in CONSUMERS} | {
        "api": {"dynamodb", "s3", "kms", "sqs"},
        "projector": {"dynamodb", "s3", "kms"},
        "relay": {"dynamodb", "s3", "kms", "sns"},
        "sweeper": {"dynamodb", "s3", "kms", "sqs"},
        "notification": {*consumer, "ses", "sns"},
        "webhooks": {*consumer} - {"s3"},
        "intake": {*consumer, "events"},
    }
    for role in ROLES:
        found = {action.partition(":")[0] for statement in allowed[role] for action in statement["Action"]}
        assert found == services[role], role


def test_consumers_may_protect_the_tasks_of_their_cluster_and_nobody_else_may(template):
    """The agent that they ask does it with their role (AWS, "Amazon ECS task scale-in protection endpoint")."""
    (policy,) = statements(
        template.of_type("AWS::IAM::ManagedPolicy")["ProtectsItsTask"]["Properties"]["PolicyDocument"]
    )
    assert set(policy["Action"]) == {"ecs:GetTaskProtection", "ecs:UpdateTaskProtection"}
    assert policy["Resource"] == [f"arn:aws:ecs:{ACCOUNT}:task/shop/*"]
    roles = template.of_type("AWS::IAM::Role")
    protecting = {
        role
        for role in ROLES
        if "<ProtectsItsTask>" in roles[f"{role.capitalize()}TaskRole"]["Properties"]["ManagedPolicyArns"]
    }
    assert protecting == set(ROLES) & set(CONSUMING)


def test_no_right_is_a_wildcard(template, allowed):
    """No `*` as a resource and no `service:*` as an action, for any role."""
    for role in ROLES:
        for statement in allowed[role]:
            assert statement["Effect"] == "Allow"
            assert "*" not in statement["Resource"]
            assert not [action for action in statement["Action"] if action.endswith(":*") or action == "*"]
    for role in template.of_type("AWS::IAM::Role").values():
        for arn in as_list(role["Properties"]["ManagedPolicyArns"]):
            assert "AdministratorAccess" not in arn
            assert "FullAccess" not in arn


def test_the_sandbox_is_reached_only_where_it_is_deployed(template):
    """The rights of the payment role hang on the choice of providers; the carrier is the sandbox's in either case."""
    assert conditional_statements(template, "Payment") == {
        "UseTheSandbox": "HasSandboxProviders",
        "ReadItsTableForTheDailyReconciliation": "HasStripe",
    }
    assert conditional_statements(template, "Shipping") == {}


def test_who_wakes_workers_may_only_send_to_their_queues(allowed):
    """The API for Stripe's webhooks and for people, the sweeper for what is late: neither takes a message, nor knows Stripe's key."""
    for role in ("api", "sweeper"):
        hints = [entry for entry in allowed[role] if any(arn.endswith(":shop-payment") for arn in entry["Resource"])]
        assert [set(entry["Action"]) for entry in hints] == [{"sqs:SendMessage", "sqs:GetQueueUrl"}]


def test_the_sweeper_touches_nothing_of_payments_but_its_own_rows(template):
    """It notes there which days are reconciled."""
    raw = template.content["Resources"]["SweeperTaskRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    (noting,) = [one for one in raw["Statement"] if one["Sid"] == "NoteWhichDaysAreReconciled"]
    assert noting["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["reconciliation-of-all/*"]}}


def conditional_statements(template, role):
    raw = template.content["Resources"][f"{role}TaskRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    branches = [entry["Fn::If"] for entry in raw["Statement"] if "Fn::If" in entry]
    return {branch[1]["Sid"]: branch[0] for branch in branches}


def test_only_roles_that_read_personal_data_may_unwrap_its_keys(allowed):
    """Everyone else uses the key only through the services that encrypt with it."""
    direct = {
        role
        for role in ROLES
        for statement in allowed[role]
        if "kms:Decrypt" in statement["Action"] and "Condition" not in statement
    }
    assert direct == {"api", "billing", "notification", "intake"}


def test_mail_is_sent_by_notification_from_one_address(allowed):
    """Nobody else may, and no other sender."""
    senders = {
        role: statement["Condition"]
        for role in ROLES
        for statement in allowed[role]
        if "ses:SendEmail" in statement["Action"]
    }
    assert senders == {"notification": {"StringEquals": {"ses:FromAddress": "<MailSender>"}}}


def test_containers_cannot_change_themselves(containers):
    """Not root, nothing writable, no capabilities."""
    for container in containers.values():
        assert container["User"] == "10001:10001"
        assert container["ReadonlyRootFilesystem"] is True
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert "Privileged" not in container


def test_the_archive_sorts_heads_on_a_disk_of_its_own(template, containers):
    """Nothing else is writable, and nothing else needs to be."""
    mounts = {role: container["MountPoints"] for role, container in containers.items() if "MountPoints" in container}
    assert mounts == {"archive": [{"SourceVolume": "scratch", "ContainerPath": "/scratch"}]}
    environment = {entry["Name"]: entry["Value"] for entry in containers["archive"]["Environment"]}
    assert environment["TMPDIR"] == "/scratch"
    assert 'VOLUME ["/scratch"]' in (DEPLOY / "Dockerfile").read_text()


def test_containers_have_the_time_to_drain(containers):
    """ECS waits for as long as it can; the drain's budget in the settings is shorter."""
    for role, container in containers.items():
        assert container["StopTimeout"] == 120
        assert container["Command"] == ["orderstore", "run", role]


def test_a_root_is_locked_as_the_data_plane_was_told(template, containers):
    """What a put says overrides the bucket's default, and a lock of ten years cannot be taken back."""
    environment = {entry["Name"]: entry["Value"] for entry in containers["archive"]["Environment"]}
    theirs = Template("data-plane.yaml").content["Parameters"]
    assert template.content["Parameters"]["FifoTopic"]["AllowedValues"] == theirs["FifoTopic"]["AllowedValues"]
    for name, variable in (("AuditLockMode", "AUDIT_LOCK_MODE"), ("AuditRetentionDays", "AUDIT_RETENTION_DAYS")):
        assert environment[f"ORDERSTORE_{variable}"] == f"<{name}>"
        mine = template.content["Parameters"][name]
        assert {**mine, "Description": ""} == {**theirs[name], "Description": ""}


def test_the_environment_of_each_task_is_one_that_the_service_accepts(template, containers):
    """No unknown variable, none missing, none that contradicts another."""  # E091 E092: what is deployed is what is read
    for role, container in containers.items():
        environment = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
        environment["ORDERSTORE_PROVIDERS"] = "sandbox"
        for parameter in ("NotificationChannels", "SmsEvents"):
            given = {name for name, value in environment.items() if value == f"<{parameter}>"}
            environment |= dict.fromkeys(given, template.content["Parameters"][parameter]["Default"])
        assert (environment["ORDERSTORE_TOPIC_ARN"], environment["ORDERSTORE_TOPIC_FIFO"]) == (
            "<OrderEventsTopicArn>",
            "<FifoTopic>",
        )
        environment["ORDERSTORE_TOPIC_FIFO"] = template.content["Parameters"]["FifoTopic"]["Default"]
        if role in CONSUMING:
            assert environment["ORDERSTORE_VISIBILITY_TIMEOUT_S"] == "<VisibilityTimeoutSeconds>"
            visibility = template.content["Parameters"]["VisibilityTimeoutSeconds"]
            # The smallest that may be chosen is accepted as well: six times the handlers' deadline.
            environment["ORDERSTORE_VISIBILITY_TIMEOUT_S"] = str(visibility["MinValue"])
        if role == "archive":
            environment |= {"ORDERSTORE_AUDIT_LOCK_MODE": "COMPLIANCE", "ORDERSTORE_AUDIT_RETENTION_DAYS": "3650"}
        assert (environment.get("ORDERSTORE_SELLERS") == "<Sellers>") == (role == "billing")
        environment |= {"ORDERSTORE_SELLERS": SELLERS} if role == "billing" else {}
        settings = from_environment(environment)
        assert settings.resource_prefix == PARAMETERS["ResourcePrefix"]
        assert settings.stop_timeout_s == container["StopTimeout"]
        port = settings.api_port if role == "api" else settings.metrics_port
        host = settings.api_host if role == "api" else settings.metrics_host
        assert (host, [{"ContainerPort": port}]) == ("0.0.0.0", container["PortMappings"])
        assert f'"http://127.0.0.1:{port}/healthz"' in container["HealthCheck"]["Command"][-1]


def test_secrets_come_from_secrets_manager_each_to_the_one_role_that_needs_it(template, containers):
    """They are in no template and no other role's environment."""
    secrets = {
        role: {entry["Name"]: entry["ValueFrom"] for entry in container["Secrets"]}
        for role, container in containers.items()
        if "Secrets" in container
    }
    assert secrets == {
        "api": {
            "ORDERSTORE_API_TOKENS": "<ApiTokensSecretArn>",
            "ORDERSTORE_STRIPE_WEBHOOK_SECRET": "<StripeWebhookSecretArn>",
        },
        "payment": {"ORDERSTORE_STRIPE_API_KEY": "<StripeApiKeySecretArn>"},
        "notification": {
            "ORDERSTORE_CHAT_SLACK_URL": "<SlackWebhookSecretArn>",
            "ORDERSTORE_CHAT_TEAMS_URL": "<TeamsWebhookSecretArn>",
        },
    }
    assert "ORDERSTORE_API_TOKENS" not in json.dumps([container["Environment"] for container in containers.values()])
    tasks = template.of_type("AWS::ECS::TaskDefinition")
    execution = {role: tasks[f"{role.capitalize()}Task"]["Properties"]["ExecutionRoleArn"] for role in ROLES}
    assert {role for role, arn in execution.items() if arn == "<ApiExecutionRole.Arn>"} == {"api"}
    assert {role for role, arn in execution.items() if arn == "<PaymentExecutionRole.Arn>"} == {"payment"}
    assert {role for role, arn in execution.items() if arn == "<NotificationExecutionRole.Arn>"} == {"notification"}


def test_an_sms_may_be_sent_only_where_it_is_asked_for_and_to_no_topic(template, allowed):
    """A phone number has no ARN, so that the right is on everything that is no topic."""  # E027
    assert conditional_statements(template, "Notification") == {"SendSms": "HasSms"}
    (right,) = [entry for entry in allowed["notification"] if "sns:Publish" in entry["Action"]]
    assert (right["NotResource"], right["Resource"]) == ("arn:aws:sns:*:*:*", [])


def test_logs_are_kept_for_a_known_time(template, containers):
    """A group for each role, with retention."""
    groups = template.of_type("AWS::Logs::LogGroup")
    for role, container in containers.items():
        assert container["LogConfiguration"]["Options"]["awslogs-group"] == f"<{role.capitalize()}Logs>"
        assert groups[f"{role.capitalize()}Logs"]["Properties"]["RetentionInDays"] == "<LogRetentionDays>"


def test_every_consumer_scales_with_its_own_backlog(template):
    """Waiting messages divided by running tasks, of the right queue and the right service."""  # C11
    policies = template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    for consumer in CONSUMING:
        name = consumer.capitalize()
        policy = policies[f"{name}ScalingPolicy"]["Properties"]
        assert policy["ScalingTargetId"] == f"<{name}Scaling>"
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        metrics = {metric["Id"]: metric for metric in tracking["CustomizedMetricSpecification"]["Metrics"]}
        assert metrics["backlog"]["MetricStat"]["Metric"]["Dimensions"] == [
            {"Name": "QueueName", "Value": f"shop-{consumer}"}
        ]
        assert {"Name": "ServiceName", "Value": f"<{name}Service.Name>"} in metrics["tasks"]["MetricStat"]["Metric"][
            "Dimensions"
        ]
        assert [entry["Id"] for entry in metrics.values() if entry["ReturnData"]] == ["backlog_per_task"]


def test_a_series_of_invoices_is_numbered_by_one_task(template):
    """Its counter is taken one at a time: ten tasks would lose sixteen rounds in a row to each other every few invoices."""
    target = template.of_type("AWS::ApplicationAutoScaling::ScalableTarget")["BillingScaling"]["Properties"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 1)


def test_the_visibility_timeout_is_one_number_in_both_templates(template):
    """A worker refuses queues whose timeout is not the one that it was told: a stack that changes it must be able to say so."""
    ours = template.content["Parameters"]["VisibilityTimeoutSeconds"]
    theirs = Template("data-plane.yaml").content["Parameters"]["VisibilityTimeoutSeconds"]
    assert (ours["Default"], ours["MaxValue"]) == (theirs["Default"], theirs["MaxValue"])


def test_the_api_is_reached_only_through_the_internal_load_balancer(template):
    """TLS outside, no public address, no open port on the tasks but the load balancer's."""
    (balancer,) = template.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    assert balancer["Properties"]["Scheme"] == "internal"
    (listener,) = template.of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    assert listener["Properties"]["Protocol"] == "HTTPS"
    assert "SecurityGroupIngress" not in template.of_type("AWS::EC2::SecurityGroup")["TaskSecurityGroup"]["Properties"]
    (ingress,) = template.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert ingress["Properties"]["SourceSecurityGroupId"] == "<LoadBalancerSecurityGroup>"
    for service in template.of_type("AWS::ECS::Service").values():
        network = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "DISABLED"
