"""Whatever a directory sends: SCIM's filters and patches are understood or refused, never a defect."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kbcore.errors import RequestError
from kbcore.metadata.directory import GROUPS, PEOPLE
from services.provisioning import values
from services.provisioning.filters import Condition, parse_filter
from services.provisioning.patches import assignments

WORDS = st.sampled_from(
    ["userName", "emails", "members", "eq", "and", "or", "not", "[", "]", "(", ")", '"x"', '"', "true", ".value", "\\"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)
OPERATION = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "Replace", "REMOVE", "move"]) | JSON,
        "path": st.lists(WORDS, max_size=6).map("".join) | JSON,
        "value": JSON,
    },
)


def outcome(read: Callable[[], Any]) -> Any:
    """What comes out, or how it is refused."""
    try:
        return read()
    except RequestError as refused:
        return refused


@example("a[" * 900 + "]")
@example('a[a eq "x"]' * 150)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=12).map(" ".join) | st.lists(WORDS, max_size=12).map("".join))
def test_a_filter_is_understood_or_refused(text: str) -> None:
    for attributes in (PEOPLE, GROUPS):
        found = outcome(lambda attributes=attributes: parse_filter(text, attributes))
        if isinstance(found, RequestError):
            assert found.code == "invalid_filter"
        else:
            assert found
            assert {condition.attribute for condition in found} <= set(attributes)


@given(st.text(max_size=40))
def test_a_value_comes_out_as_it_went_in(value: str) -> None:
    assert parse_filter(f"userName eq {json.dumps(value)}", PEOPLE) == [Condition("username", value)]


@given(st.dictionaries(st.sampled_from(["Operations", "operations", "x"]), st.lists(OPERATION, max_size=3) | JSON))
def test_a_patch_is_understood_or_refused(body: dict[str, Any]) -> None:
    found = outcome(lambda: assignments(body))
    if isinstance(found, RequestError):
        assert found.code in {"invalid_value", "invalid_path", "invalid_filter"}
    else:
        assert all(each.verb in ("add", "replace", "remove") for each in found)


@given(JSON)
def test_a_value_is_kept_or_refused(value: object) -> None:
    for read in (
        values.user_name,
        values.external_id,
        values.email,
        lambda each: values.line("displayName", each),
        lambda each: values.display_name({"displayname": each, "name": each}, "x"),
    ):
        kept = outcome(lambda read=read: read(value))
        if isinstance(kept, RequestError):
            assert kept.code == "invalid_value"
        else:
            assert kept is None or (isinstance(kept, str) and "\x00" not in kept)


@pytest.mark.parametrize(
    ("path", "understood"),
    [
        ("active", ("active", None)),
        ("ACTIVE", ("active", None)),
        ("name.familyName", ("name", "familyname")),
        ('emails[type eq "work"].value', ("emails", "value")),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", ("username", None)),
        ('urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"].value', ("emails", "value")),
    ],
)
def test_paths(path: str, understood: tuple[str, str | None]) -> None:
    (found,) = assignments({"Operations": [{"op": "replace", "path": path, "value": "x"}]})
    assert (found.attribute, found.part) == understood
