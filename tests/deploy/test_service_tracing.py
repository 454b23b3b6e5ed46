"""Every role's task knows where spans go, and none does unless somebody says so."""

from typing import Any

import pytest

from tests.cloudformation import NO_VALUE, Template
from workers.settings import ROLES

ENDPOINT, RATIO = "ORDERSTORE_TRACING_OTLP_ENDPOINT", "ORDERSTORE_TRACING_SAMPLE_RATIO"


def variables(template: Template) -> dict[str, list[Any]]:
    """Of each role's container."""
    tasks = template.of_type("AWS::ECS::TaskDefinition").values()
    containers = [container for task in tasks for container in task["Properties"]["ContainerDefinitions"]]
    return {container["Name"]: container["Environment"] for container in containers if container["Name"] in ROLES}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_told_of_the_collector(role: str) -> None:
    """A trace with a role left out would end there."""
    given = variables(Template("service.yaml"))[role]

    assert {entry["Name"]: entry["Value"] for entry in given if entry["Name"] in (ENDPOINT, RATIO)} == {
        ENDPOINT: "https://collector.example",
        RATIO: "0.05",
    }


@pytest.mark.parametrize("role", ROLES)
def test_without_an_endpoint_no_role_has_a_variable_of_tracing(role: str) -> None:
    """The parameter is empty unless it is given."""
    given = variables(Template("service.yaml", unmet=frozenset({"HasTracing"})))[role]

    assert [entry for entry in given if entry != NO_VALUE and entry["Name"] in (ENDPOINT, RATIO)] == []
