"""Whether every example in the read API's description fits its own schema: says which does not, and how many there are."""

import json
import sys

import jsonschema_rs

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def moved(schema):
    """A schema whose references point to the definitions beside it."""
    if isinstance(schema, dict):
        return {
            name: value.replace("#/components/schemas/", "#/$defs/") if name == "$ref" else moved(value)
            for name, value in schema.items()
        }
    return [moved(item) for item in schema] if isinstance(schema, list) else schema


def contents(document):
    """Where each body stands: its place and what may be in it."""
    shared = document["components"]["responses"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            if "requestBody" in operation:
                yield f"{place}, its body", operation["requestBody"]["content"]
            for status, response in operation["responses"].items():
                response = shared[response["$ref"].rsplit("/")[-1]] if "$ref" in response else response
                yield f"{place}, {status}", response.get("content", {})


def main(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    definitions = moved(document["components"]["schemas"])
    examples, wrong = 0, []
    for place, content in contents(document):
        for media, body in content.items():
            if "example" not in body:
                continue
            schema = {"$schema": DIALECT, "$defs": definitions, **moved(body["schema"])}
            validator = jsonschema_rs.validator_for(schema, validate_formats=True)
            examples += 1
            wrong += [f"{place}, {media}: {error.message}" for error in validator.iter_errors(body["example"])]
    print("\n".join([*wrong, f"{examples} examples"]))
    return 1 if wrong else 0


sys.exit(main(sys.argv[1]))
