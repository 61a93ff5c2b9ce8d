#!/usr/bin/env python3
"""Writes what is derived from schemas/openapi.yaml and schemas/config.schema.json.

  openapi_split.py           writes schemas/openapi.json, schemas/problem.schema.json,
                             schemas/requests/<operationId>.schema.json, config/soma.toml
                             and .env.example
  openapi_split.py --check   writes nothing; exit 1 when one of them is out of step, or the sources
                             break a rule named below

The generated files are committed, so building needs no Python. Needs python3 and python3-yaml.
"""
import json
import re
import sys
import textwrap
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"
METHODS = ("get", "put", "post", "patch", "delete")
ANNOTATIONS = {"description", "default", "example", "format", "title"}
# What both OpenAPI 3.1 and draft-07 mean alike; anything else needs a conversion of its own.
COMMON_KEYWORDS = {
    "type", "enum", "const", "properties", "required", "additionalProperties", "items", "oneOf",
    "anyOf", "allOf", "not", "if", "then", "else", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems",
}
problems = []


def expect(holds, message):
    if not holds:
        problems.append(message)


def as_json(value):
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def operations(api):
    for path, item in api["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolve(api, node):
    """The node a local $ref names, with the members beside the $ref laid over it."""
    while "$ref" in node:
        target = api
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def to_draft_07(api, schema, where, keep=frozenset()):
    """Inlines $refs and drops annotations, but for those in `keep`.

    A pattern is tried only on strings within maxLength: the run-time validator's regex recurses
    once a character and would run out of stack on a long string. `format` goes for the same reason.
    """
    schema = resolve(api, schema)
    out = {}
    for keyword, value in schema.items():
        if keyword in ANNOTATIONS - keep:
            continue
        if keyword not in COMMON_KEYWORDS | keep:
            expect(False, f"{where}: no conversion of '{keyword}' to draft-07")
        elif keyword == "properties":
            out[keyword] = {k: to_draft_07(api, v, f"{where}/{k}", keep) for k, v in value.items()}
        elif keyword in ("oneOf", "anyOf", "allOf"):
            out[keyword] = [to_draft_07(api, v, f"{where}/{keyword}", keep) for v in value]
        elif isinstance(value, dict):
            out[keyword] = to_draft_07(api, value, f"{where}/{keyword}", keep)
        elif keyword != "pattern":
            out[keyword] = value
    if "pattern" in schema:
        expect("maxLength" in schema and "if" not in schema, f"{where}: pattern without maxLength")
        out["if"] = {"maxLength": schema.get("maxLength")}
        out["then"] = {"pattern": schema["pattern"]}
    if schema.get("type") == "string" and not keep:
        expect("maxLength" in schema or "enum" in schema, f"{where}: string without maxLength")
    if schema.get("type") == "array" and not keep:
        expect("maxItems" in schema, f"{where}: array without maxItems")
    if "properties" in out and "type" in out and not keep:
        expect(out.get("additionalProperties") is False, f"{where}: takes unknown members")
    return out


def request_schemas(api):
    for path, method, op in operations(api):
        media = op.get("requestBody", {}).get("content", {}).get("application/json")
        # OpenAI's takes whatever a provider knows beside; http/openai/model_ask.hpp judges it.
        if media and "openai" not in op["tags"]:
            name = op["operationId"]
            yield name, {"$schema": DRAFT_07, "title": f"Body of {method.upper()} {path}",
                         **to_draft_07(api, media["schema"], name)}


def codes_by_status(text):
    """The table of codes.md: code -> status."""
    return dict(re.findall(r"^\| `([a-z_.]+)` \| (\d{3}) \|", text, re.M))


def check_responses(api):
    statuses = codes_by_status((SCHEMAS / "codes.md").read_text())
    seen = set()
    ids = [op.get("operationId") for _, _, op in operations(api)]
    expect(len(ids) == len(set(ids)) and None not in ids, "operationId missing or given twice")
    for path, method, op in operations(api):
        for status, response in op["responses"].items():
            media = resolve(api, response).get("content", {}).get("application/problem+json")
            if not media:
                if "openai" in op["tags"]:  # errors in that API's own shape
                    continue
                expect(status < "400", f"{method} {path}: {status} is no problem+json")
                continue
            for code in media["schema"]["properties"]["code"]["enum"]:
                seen.add(code)
                expect(code in statuses, f"{method} {path}: {code} is not in codes.md")
                expect(status in ("default", statuses.get(code)),
                       f"{method} {path}: {code} is {statuses.get(code)}, not {status}")
    for code in statuses.keys() - seen:
        expect(False, f"codes.md: {code} has a status but no operation gives it")
    known = set(re.findall(r"^\| `([a-z_.]+)` \|", (SCHEMAS / "codes.md").read_text(), re.M))
    header = (ROOT / "src/core/codes.hpp").read_text()
    for code in re.findall(r'= "([a-z_.]+)"', header):
        expect(code in known, f"src/core/codes.hpp: {code} is not in codes.md")


# What may stand where, as OpenAPI 3.1 and JSON Schema 2020-12 say. A comma in a text that is not quoted
# makes a member of what follows it, which most readers pass over.
MEMBERS = {
    "operation": {"tags", "summary", "description", "operationId", "parameters", "requestBody",
                  "responses", "security", "deprecated", "externalDocs", "servers", "callbacks"},
    "response": {"description", "headers", "content", "links"},
    "parameter": {"name", "in", "description", "required", "deprecated", "schema", "example",
                  "examples", "style", "explode", "allowReserved", "content", "allowEmptyValue"},
    "header": {"description", "required", "deprecated", "schema", "example", "examples", "content",
               "style", "explode"},
    "body": {"description", "content", "required"},
    "media": {"schema", "example", "examples", "encoding"},
    "schema": COMMON_KEYWORDS | ANNOTATIONS | {
        "$ref", "$schema", "$id", "prefixItems", "contains", "dependentRequired", "patternProperties",
        "propertyNames", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "examples", "readOnly",
        "writeOnly", "deprecated", "contentEncoding", "contentMediaType", "discriminator",
        "unevaluatedProperties", "minContains", "maxContains"},
}


def check_members(kind, node, where):
    for name in node.keys() - MEMBERS[kind] - {"$ref"}:
        expect(name.startswith("x-"), f"{where}: no {kind} has '{name}'")


def check_schema(schema, where, described=frozenset()):
    """`described`: the properties of the schema around it."""
    if not isinstance(schema, dict):
        return
    check_members("schema", schema, where)
    described = described | schema.get("properties", {}).keys()
    if "$ref" not in schema:
        for name in set(schema.get("required", [])) - described:
            expect(False, f"{where}: '{name}' is required and not described")
    for name, child in schema.get("properties", {}).items():
        check_schema(child, f"{where}/{name}")
    for keyword in ("items", "additionalProperties", "not", "if", "then", "else"):
        check_schema(schema.get(keyword), f"{where}/{keyword}")
    for keyword in ("oneOf", "anyOf", "allOf"):
        for child in schema.get(keyword, []):
            check_schema(child, f"{where}/{keyword}", described)


def check_content(node, where):
    for media_type, media in node.get("content", {}).items():
        check_members("media", media, f"{where} {media_type}")
        check_schema(media.get("schema"), f"{where} {media_type}")


def check_response(response, where):
    check_members("response", response, where)
    check_content(response, where)
    for name, header in response.get("headers", {}).items():
        check_members("header", header, f"{where} {name}")
        check_schema(header.get("schema"), f"{where} {name}")


def check_document(api):
    """That it is OpenAPI and nothing else, so that the tools of others read what is meant."""
    tags = {tag["name"] for tag in api["tags"]}
    for path, method, op in operations(api):
        where = f"{method} {path}"
        check_members("operation", op, where)
        expect(set(op["tags"]) <= tags, f"{where}: a tag that is not described")
        expect(any(status[0] == "4" for status in op["responses"]), f"{where}: no 4xx")
        for parameter in op.get("parameters", []):
            check_members("parameter", parameter, where)
            check_schema(parameter.get("schema"), f"{where} {parameter.get('name')}")
        if "requestBody" in op:
            check_members("body", op["requestBody"], where)
            check_content(op["requestBody"], where)
        for status, response in op["responses"].items():
            check_response(response, f"{where} {status}")
    parts = api["components"]
    for name, schema in parts["schemas"].items():
        check_schema(schema, name)
    for name, response in parts["responses"].items():
        check_response(response, name)
    for name, parameter in parts["parameters"].items():
        check_members("parameter", parameter, name)
        check_schema(parameter.get("schema"), name)
    for name, header in parts["headers"].items():
        check_members("header", header, name)


def check_patterns(node, where):
    """In schemas kept by hand: a pattern stands only behind an `if` on maxLength."""
    if isinstance(node, list):
        for child in node:
            check_patterns(child, where)
    if not isinstance(node, dict):
        return
    guarded = "maxLength" in node.get("if", {}) if isinstance(node.get("if"), dict) else False
    for keyword, child in node.items():
        expect(keyword != "pattern" or not isinstance(child, str), f"{where}: unguarded {child}")
        if keyword == "then" and guarded and set(child) == {"pattern"}:
            continue
        check_patterns(child, f"{where}/{keyword}")


def config_keys(config):
    for section, table in config["properties"].items():
        for key, facts in table["properties"].items():
            yield section, key, facts


def check_config(config):
    environment = set()
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list}
    for section, key, facts in config_keys(config):
        name, value = f"{section}.{key}", facts.get("default")
        expect(isinstance(value, kinds[facts["type"]]), f"{name}: default is no {facts['type']}")
        expect(facts["type"] == "boolean" or not isinstance(value, bool), f"{name}: default")
        if facts["type"] in ("integer", "number"):
            expect({"minimum", "maximum"} <= facts.keys() and
                   facts["minimum"] <= value <= facts["maximum"], f"{name}: bounds")
        expect("enum" not in facts or value in facts["enum"], f"{name}: default not in enum")
        expect(facts.get("description", "").endswith("."), f"{name}: needs a sentence")
        variable = facts.get("x-env")
        expect(variable is None or variable not in environment, f"{name}: {variable} taken twice")
        environment.add(variable)


def comment(facts, suffix=""):
    text = facts["description"]
    if "enum" in facts:
        text += " One of " + ", ".join(facts["enum"]) + "."
    if "minimum" in facts:
        text += f" {facts['minimum']} to {facts['maximum']}."
    return "\n".join("# " + line for line in textwrap.wrap(text + suffix, 96))


def soma_toml(config):
    out = ["# Every key with its default. Generated from schemas/config.schema.json.",
           "# [NAME] is a key's environment variable; it wins over this file, a flag over both."]
    section = None
    for name, key, facts in config_keys(config):
        if name != section:
            section = name
            out += ["", "# " + config["properties"][section]["description"], f"[{section}]"]
        variable = f" [{facts['x-env']}]" if "x-env" in facts else ""
        out += [comment(facts, variable), f"#{key} = {json.dumps(facts['default'])}"]
    return "\n".join(out) + "\n"


def env_example(config):
    out = ["# Every environment variable that is read, with its default.",
           "# Generated from schemas/config.schema.json."]
    for section, key, facts in config_keys(config):
        if "x-env" in facts:
            value = "" if facts.get("x-secret") else facts["default"]
            text = comment({**facts, "description": f"{section}.{key}: {facts['description']}"})
            out += ["", text, f"#{facts['x-env']}={value}"]
    return "\n".join(out) + "\n"


def main():
    api = yaml.safe_load((SCHEMAS / "openapi.yaml").read_text())
    config = json.loads((SCHEMAS / "config.schema.json").read_text())
    check_document(api)
    check_responses(api)
    check_config(config)
    check_patterns(json.loads((SCHEMAS / "event.schema.json").read_text()), "event.schema.json")

    problem = to_draft_07(api, api["components"]["schemas"]["problem"], "problem", {"description"})
    files = {
        SCHEMAS / "openapi.json": as_json(api),
        SCHEMAS / "problem.schema.json": as_json({"$schema": DRAFT_07, **problem}),
        ROOT / "config/soma.toml": soma_toml(config),
        ROOT / ".env.example": env_example(config),
    }
    for name, schema in request_schemas(api):
        files[SCHEMAS / f"requests/{name}.schema.json"] = as_json(schema)

    check_only = sys.argv[1:] == ["--check"]
    for path, text in files.items():
        if check_only:
            current = path.read_text() if path.exists() else None
            expect(current == text, f"{path.relative_to(ROOT)}: out of step, run without --check")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    for path in set((SCHEMAS / "requests").glob("*")) - files.keys():
        expect(False, f"{path.relative_to(ROOT)}: belongs to no operation")
    print("\n".join(problems) or f"{len(files)} files in step")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
