"""YAML by the core schema of 1.2, as everywhere in orch: `yes` and `on` are text, keys stand once. Needs PyYAML."""
from __future__ import annotations

import json
import math
import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST = 32 << 20  # bytes of JSON, after aliases are expanded
PREFIX = "tag:yaml.org,2002:"
SCALARS = [
    ("null", re.compile(r"~|null|Null|NULL|")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
]


class YamlError(ValueError):
    """Says what is wrong, with its line and column."""


class Plain(yaml.SafeLoader):  # type: ignore[misc]
    """Tells a tag that was written from one that was resolved: nothing is resolved."""

    yaml_implicit_resolvers: dict[str, Any] = {}


def wrong(node: Node, message: str) -> YamlError:
    return YamlError(f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}: {message}")


def parse(text: str) -> Any:
    """The value of a YAML document."""
    loader = Plain(text)
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as broken:
        raise YamlError(str(broken)) from broken
    finally:
        loader.dispose()
    return None if node is None else Reader().value(node)


def to_json(text: str) -> str:
    return json.dumps(parse(text), ensure_ascii=False, allow_nan=False)


class Reader:
    def __init__(self) -> None:
        self.size = 0
        self.inside: set[int] = set()

    def value(self, node: Node) -> Any:
        self.size += 2 + (len(node.value) if isinstance(node, ScalarNode) else 0)
        if self.size > LARGEST:
            raise wrong(node, "more than 32 MiB after aliases are expanded")
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        if id(node) in self.inside:
            raise wrong(node, "an alias stands inside its own node")
        self.inside.add(id(node))
        try:
            if isinstance(node, SequenceNode):
                self.check_tag(node, "seq")
                return [self.value(each) for each in node.value]
            assert isinstance(node, MappingNode)
            self.check_tag(node, "map")
            return self.mapping(node)
        finally:
            self.inside.discard(id(node))

    def check_tag(self, node: Node, own: str) -> None:
        if node.tag not in ("!", PREFIX + own):
            raise wrong(node, f"the tag {node.tag} is not of the core schema")

    def mapping(self, node: MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise wrong(key, "a key is no scalar")
            if key.value == "<<" and key.style is None:
                raise wrong(key, "merge keys are no part of YAML 1.2")
            name = key.value
            if name in found:
                raise wrong(key, f'the key "{name}" stands twice')
            self.size += len(name)
            found[name] = self.value(value)
        return found

    def scalar(self, node: ScalarNode) -> Any:
        if node.tag == PREFIX + "str" and node.style is None and not node_is_tagged(node):
            return self.plain(node)
        kind = node.tag.removeprefix(PREFIX)
        if node.tag == "!" or (kind == "str" and node.tag != kind):
            return node.value
        patterns = dict(SCALARS)
        if node.tag == kind or kind not in patterns:
            raise wrong(node, f"the tag {node.tag} is not of the core schema")
        if not patterns[kind].fullmatch(node.value):
            raise wrong(node, f'"{node.value}" is no {kind}')
        return self.convert(node, kind)

    def plain(self, node: ScalarNode) -> Any:
        for kind, pattern in SCALARS:
            if pattern.fullmatch(node.value):
                return self.convert(node, kind)
        return node.value

    def convert(self, node: ScalarNode, kind: str) -> Any:
        text = node.value
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(number):
            raise wrong(node, f"{text} is no number of JSON")
        return number


def node_is_tagged(node: ScalarNode) -> bool:
    """`!!str 12` has a tag of its own and a plain style: its text starts behind the tag."""
    mark = node.start_mark
    return bool(mark.buffer is not None and mark.buffer[mark.pointer:mark.pointer + 1] == "!")
