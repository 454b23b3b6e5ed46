"""CloudFormation templates for assertions, with references replaced by readable text. (That AWS can read them is cfn-lint's to say.)"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parent.parent / "deploy"
PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "ResourcePrefix": "shop",
    "TracingOtlpEndpoint": "https://collector.example",
    "TracingSampleRatio": "0.05",
}
# Conditions that do not hold unless somebody asks for them.
UNMET = frozenset({"IsFifoTopic"})
NO_VALUE = "<AWS::NoValue>"


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms, which become the long ones: `!Sub x` is `{"Fn::Sub": x}`."""


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _long_form)
# A date is text: that of a policy's version is.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)


@cache
def read(name: str) -> Any:
    """A template of `deploy` as it is written; nobody changes it."""
    return yaml.load((DEPLOY / name).read_text(encoding="utf-8"), Loader=_Loader)


def template_of(queue: str) -> "Template":
    """The template that makes a queue, its dead letters and its subscription."""
    return Template("webhooks.yaml" if queue == "webhooks" else "data-plane.yaml")


class Template:
    """One template. `of_type(type)` gives resources in which `Ref`, `Fn::Sub` and `Fn::GetAtt` are plain text.

    `unmet` are the conditions that do not hold; what an `Fn::If` leaves out with `AWS::NoValue` is left out.
    """

    def __init__(self, name: str, *, unmet: frozenset[str] = UNMET) -> None:
        self.content = read(name)
        self._unmet = unmet

    def of_type(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """The resources of one type, by logical name, with everything resolved."""
        return {
            name: resolve(resource, self._unmet)
            for name, resource in self.content["Resources"].items()
            if resource["Type"] == resource_type
        }

    def outputs(self) -> dict[str, Any]:
        """The outputs, resolved."""
        return {name: resolve(output, self._unmet) for name, output in self.content["Outputs"].items()}

    def by_name(self, resource_type: str, property_name: str) -> dict[str, dict[str, Any]]:
        """The properties of the resources of one type, by the name that AWS will give them (without the prefix)."""
        return {
            resource["Properties"][property_name].removeprefix("shop-"): resource["Properties"]
            for resource in self.of_type(resource_type).values()
        }


def resolve(value: Any, unmet: frozenset[str] = UNMET) -> Any:
    """Replace intrinsic functions: known parameters by their values, the rest by `<name>`; of `Fn::If` one branch."""
    if isinstance(value, Mapping):
        if set(value) == {"Ref"}:
            return PARAMETERS.get(value["Ref"], f"<{value['Ref']}>")
        if set(value) == {"Fn::Sub"}:
            return re.sub(r"\$\{([^}]+)\}", lambda match: PARAMETERS.get(match[1], f"<{match[1]}>"), value["Fn::Sub"])
        if set(value) == {"Fn::GetAtt"}:
            return f"<{'.'.join(value['Fn::GetAtt'])}>"
        if set(value) == {"Fn::If"}:
            condition, met, not_met = value["Fn::If"]
            return resolve(not_met if condition in unmet else met, unmet)
        resolved = {str(key): resolve(entry, unmet) for key, entry in value.items()}
        return {key: entry for key, entry in resolved.items() if entry != NO_VALUE}
    if isinstance(value, list):
        return [resolve(entry, unmet) for entry in value]
    return value


def statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a policy, with actions and resources always as lists."""
    for statement in document["Statement"]:
        yield {
            **statement,
            "Action": as_list(statement["Action"]),
            "Resource": as_list(statement.get("Resource", [])),
        }


def as_list(value: Any) -> list[Any]:
    """A policy may name one thing without a list."""
    return list(value) if isinstance(value, list) else [value]
