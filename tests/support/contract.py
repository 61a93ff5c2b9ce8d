"""Judges answers by the published contract: status, content type, headers and body of each against
schemas/openapi.json, events against schemas/event.schema.json. Needs python3-jsonschema."""

import json
import os
import re

import jsonschema

from node_under_test import ADMIN_KEY

SCHEMAS = os.path.join(os.path.dirname(__file__), "..", "..", "schemas")
JSON_TYPES = ("application/json", "application/problem+json")
METHODS = ("get", "put", "post", "patch", "delete")
# Every header that an answer of this server may have. One that is not here is a slip, or bytes that
# were never meant to leave.
HEADERS = frozenset("""accept-ranges allow cache-control connection content-disposition content-encoding
    content-length content-range content-security-policy content-type cross-origin-opener-policy
    cross-origin-resource-policy date etag idempotency-replayed location ratelimit
    referrer-policy retry-after set-cookie transfer-encoding vary www-authenticate
    x-accel-buffering x-content-type-options x-frame-options x-gateway-model-lock-warning
    x-request-id""".split())


def load(name):
    with open(os.path.join(SCHEMAS, name)) as file:
        return json.load(file)


def codes_by_status():
    """The table of codes.md: code → status."""
    with open(os.path.join(SCHEMAS, "codes.md")) as file:
        return {m[1]: int(m[2]) for m in re.finditer(r"^\| `([a-z_.]+)` \| (\d{3}) \|", file.read(),
                                                     re.MULTILINE)}


event_validator = jsonschema.Draft7Validator(load("event.schema.json"))


def judge_event(event):
    event_validator.validate(event)
    if event["type"] not in EVENT_TYPES:
        raise AssertionError(f"the schema knows no {event['type']}")


EVENT_TYPES = {rule["if"]["properties"]["type"]["const"]
               for rule in load("event.schema.json")["allOf"]}


def judge_headers(headers, about):
    """That each is known, and its value printable ASCII: what is not was never meant to be sent."""
    for name, value in headers.items():
        if name.lower() not in HEADERS:
            raise AssertionError(f"{about}: nobody knows the header {name}: {value!r}")
        if any(not " " <= c <= "~" for c in value):
            raise AssertionError(f"{about}: header {name} has bytes that no header has: {value!r}")


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        media_type = headers.get("content-type", "").split(";")[0]
        self.json = json.loads(text) if media_type in JSON_TYPES and text else None


class Contract:
    """Asks a node by operation id, and fails where the answer is not what the document promises."""

    def __init__(self, node):
        self.node = node
        self.document = load("openapi.json")
        self.codes = codes_by_status()
        self.operations = {}  # id → (method, path, operation)
        self.answered = {}    # id → statuses seen
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    self.operations[item[method]["operationId"]] = (method, path, item[method])

    def resolve(self, thing):
        while "$ref" in thing and len(thing) == 1:
            found = self.document
            for step in thing["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            thing = found
        return thing

    def validate(self, schema, value, about):
        whole = {**schema, "components": self.document["components"]}
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
                  for e in jsonschema.Draft202012Validator(whole).iter_errors(value)]
        if errors:
            raise AssertionError(f"{about}: {errors} in {json.dumps(value)[:500]}")

    def path_of(self, operation, **values):
        path = self.operations[operation][1]
        for name, value in values.items():
            path = path.replace("{" + name + "}", value)
        return path

    def ask(self, operation, status, body=None, query="", headers=None, key=ADMIN_KEY, code=None,
            method=None, source="127.0.0.1", **values):
        """Sends it and expects `status`, and for an error its `code`. Gives an Answer."""
        verb = method or self.operations[operation][0].upper()
        path = self.path_of(operation, **values) + query
        got, fields, text = self.node.request(verb, path, body, headers, key, source)
        about = f"{operation}: {verb} {path} {str(body)[:200]} → {got}"
        judge_headers(fields, about)
        if got != status:
            raise AssertionError(f"{about}, expected {status}: {text[:400]}")
        answer = Answer(got, {name.lower(): value for name, value in fields.items()}, text)
        self.judge(operation, answer, about)
        if code and answer.json["code"] != code:
            raise AssertionError(f"{about}, expected {code}: {text[:400]}")
        return answer

    def judge(self, operation, answer, about):
        responses = self.operations[operation][2]["responses"]
        listed = self.resolve(responses.get(str(answer.status)) or responses["default"])
        self.answered.setdefault(operation, set()).add(answer.status)
        if not answer.headers.get("x-request-id"):
            raise AssertionError(f"{about}: no X-Request-ID")
        for name, value in answer.headers.items():
            if not re.fullmatch(r"[\x20-\x7e]*", value):
                raise AssertionError(f"{about}: header {name} holds {value!r}")
        for name, header in listed.get("headers", {}).items():
            header = self.resolve(header)
            if (value := answer.headers.get(name.lower())) is not None:
                typed = int(value) if header["schema"].get("type") == "integer" else value
                self.validate(header["schema"], typed, f"{about}, header {name}")
        content = listed.get("content")
        if not content:
            if answer.text:
                raise AssertionError(f"{about}: a body where the document has none")
            return
        media_type = answer.headers.get("content-type", "").split(";")[0]
        if media_type not in content and "*/*" not in content:
            raise AssertionError(f"{about}: {media_type}, not one of {list(content)}")
        if answer.status >= 400:
            self.judge_problem(answer, about)
        schema = content.get(media_type, {}).get("schema")
        if schema and answer.json is not None and media_type in JSON_TYPES:
            self.validate(schema, answer.json, about)

    def judge_problem(self, answer, about):
        problem = answer.json
        if problem["status"] != answer.status or problem["request_id"] != answer.headers["x-request-id"]:
            raise AssertionError(f"{about}: {problem} is not the answer's")
        if self.codes.get(problem["code"]) != answer.status:
            raise AssertionError(f"{about}: codes.md has no {problem['code']} with {answer.status}")
        if problem["code"] == "request.unknown_field" and not problem["field"].startswith("/"):
            raise AssertionError(f"{about}: the field is not named")
        if answer.status in (429, 503) and int(answer.headers["retry-after"]) < 1:
            raise AssertionError(f"{about}: Retry-After says nothing")
        if answer.status == 429 and "ratelimit" not in answer.headers:
            raise AssertionError(f"{about}: no RateLimit")
        if answer.status == 401 and "www-authenticate" not in answer.headers:
            raise AssertionError(f"{about}: no WWW-Authenticate")
        if answer.status == 405 and "allow" not in answer.headers:
            raise AssertionError(f"{about}: no Allow")
