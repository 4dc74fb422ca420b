"""The description of the API: checked in, valid, and fit for generators of clients."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from app.api.problems import STATUS
from scripts.openapi import DOCS, documents


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return documents()


@pytest.fixture
def schema(texts: dict[str, str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(texts["openapi.json"])
    return parsed


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_the_documents_that_are_checked_in_are_these(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        assert (DOCS / name).read_text() == text, f"run `make openapi` and commit docs/{name}"


def test_the_documents_are_valid_openapi_3_1(texts: dict[str, str]) -> None:
    for text in texts.values():
        parsed = json.loads(text)
        assert parsed["openapi"].startswith("3.1")
        validate(parsed)


def test_generators_get_one_type_of_body(texts: dict[str, str], schema: dict[str, Any]) -> None:
    generated = json.loads(texts["openapi-clients.json"])
    assert {path: list(methods) for path, methods in generated["paths"].items()} == {
        path: list(methods) for path, methods in schema["paths"].items()
    }
    kinds = {path: list(operation["requestBody"]["content"]) for path, operation in operations(generated)
             if "requestBody" in operation}  # fmt: skip
    assert kinds["/v1/verify"] == kinds["/v1/reject"] == ["multipart/form-data"]
    assert kinds["/v1/identities/{identity}/merge"] == ["application/json"]
    assert all(len(each) == 1 for each in kinds.values())


def test_every_operation_has_a_short_name_of_its_own_and_a_path_with_the_version(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(schema)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(path.startswith("/v1/") for path in schema["paths"])
    tags = {tag["name"] for tag in schema["tags"]}
    assert all(set(operation["tags"]) <= tags for _, operation in operations(schema))


def test_bodies_have_names_and_forms_have_no_null_and_no_list_but_of_files(schema: dict[str, Any]) -> None:
    schemas = schema["components"]["schemas"]
    for path, operation in operations(schema):
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            name = media["schema"]["$ref"].rpartition("/")[2]
            assert name.endswith("Form" if kind == "multipart/form-data" else "Request")
            if name.endswith("Form"):
                for field in schemas[name]["properties"].values():
                    assert '"null"' not in json.dumps(field), path
                    assert field.get("type") != "array" or field["items"]["format"] == "binary", path
    assert "prefixItems" not in json.dumps(schema)  # tuples
    assert "x-definitions" not in json.dumps(schema)
    assert {"FaceSelection", "IfExists", "FaceChoice"} <= set(schemas)


def test_every_problem_is_documented_with_its_code_and_when_to_try_again(schema: dict[str, Any]) -> None:
    assert set(schema["components"]["schemas"]["ProblemCode"]["enum"]) == set(STATUS)
    documented = set()
    for _, operation in operations(schema):
        for status, response in operation["responses"].items():
            codes = set(re.findall(r"`(\w+)`", response["description"]))
            documented |= codes
            if status != "default":
                assert all(STATUS[code] == int(status) for code in codes)
            retried = bool(codes & {"overloaded", "rate_limited", "gallery_unavailable"})
            assert ("Retry-After" in response.get("headers", {})) == retried
    assert documented == set(STATUS)
