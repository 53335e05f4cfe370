"""openapi.yaml as tests read it: its operations, and whether an answer is one that it describes."""
import os
import re

import jsonschema
import yaml

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
METHODS = ("get", "put", "post", "delete")


class Operation:
    def __init__(self, contract, path, method, item, described):
        self.contract, self.path, self.method, self.id = contract, path, method.upper(), described["operationId"]
        self.role = described["x-role"]
        self.parameters = [contract.resolve(p) for p in item.get("parameters", []) + described.get("parameters", [])]
        self.body = contract.resolve(described["requestBody"]) if "requestBody" in described else None
        self.responses = {status: contract.resolve(response) for status, response in described["responses"].items()}

    def __repr__(self):
        return f"{self.method} {self.path}"

    def where(self, place):
        return {p["name"]: p for p in self.parameters if p["in"] == place}

    @property
    def path_names(self):
        return re.findall(r"{(\w+)}", self.path)

    @property
    def statuses(self):
        return {int(status) for status in self.responses if status != "default"}

    def problems(self, answer, head=False):
        """What of an answer is not as described; nothing where all is."""
        described = self.responses.get(str(answer.status)) or (self.responses.get("default") if answer.status >= 400 else None)
        if described is None:
            return [f"status {answer.status} is not described: {answer!r}"]
        found = [f"header {name} is missing" for name in ("x-request-id", "x-content-type-options") if name not in answer.headers]
        content = described.get("content")
        if not content or head:
            return found + ([f"a body where none is described: {answer!r}"] if answer.body else [])
        if answer.media_type not in content:
            return found + [f"type {answer.media_type!r} is not described: {answer!r}"]
        if "json" not in answer.media_type:
            return found
        try:
            value = answer.json
        except ValueError as error:
            return found + [f"no JSON ({error}): {answer!r}"]
        validator = self.contract.validator(content[answer.media_type].get("schema", {}))
        found += [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in list(validator.iter_errors(value))[:5]]
        if answer.media_type == "application/problem+json":
            if value.get("status") != answer.status:
                found.append(f"status of the problem is {value.get('status')}, of the answer {answer.status}")
            if value.get("instance") != answer.headers.get("x-request-id"):
                found.append(f"instance is {value.get('instance')}, X-Request-Id {answer.headers.get('x-request-id')}")
        return found


class Contract:
    def __init__(self):
        with open(os.path.join(ROOT, "http-bridge/openapi.yaml"), encoding="utf-8") as text:
            self.document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.resolver = jsonschema.RefResolver("", self.document)
        self.operations = [
            Operation(self, path, method, item, item[method]) for path, item in self.document["paths"].items() for method in METHODS if method in item
        ]

    def resolve(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def validator(self, schema):
        return jsonschema.Draft202012Validator(schema, resolver=self.resolver)

    def examples(self):
        """(where, schema, example) of all bodies that have one."""

        def walk(node, where):
            if isinstance(node, dict):
                if "schema" in node and "example" in node:
                    yield where, node["schema"], node["example"]
                for name, child in node.items():
                    yield from walk(child, f"{where}/{name}")
            elif isinstance(node, list):
                for i, child in enumerate(node):
                    yield from walk(child, f"{where}/{i}")

        return walk(self.document, "")
