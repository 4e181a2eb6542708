"""Judges answers by an OpenAPI 3.1 document, whose schemas are JSON Schema 2020-12."""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1]) as file:
    given = json.load(file)
document = given["document"]
assert document["openapi"].startswith("3.1"), document["openapi"]
for name, schema in document["components"]["schemas"].items():
    Draft202012Validator.check_schema(schema)
wrong = 0
for it in given["answers"]:
    whole = {"$ref": "#/components/schemas/" + it["schema"], "components": document["components"]}
    for error in Draft202012Validator(whole).iter_errors(it["answer"]):
        wrong += 1
        print(it["path"], list(error.absolute_path), error.message)
print(len(given["answers"]), "answers judged,", wrong, "wrong")
sys.exit(1 if wrong else 0)
