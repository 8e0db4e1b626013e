"""A service account that searches and asks for people finds what they would find."""

import httpx
import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import UserKind
from kbcore.metadata import users
from services.auth.api_keys import issue_key
from services.auth.authenticate import ON_BEHALF_OF
from tests.integration.asking import Desk

QUESTIONS = ("P5 级工程师的月薪范围是多少", "年假可以结转吗", "hotel costs in Beijing")


@pytest.fixture
def robot(desk: Desk, platform: Platform) -> httpx.Client:
    """A key of a service account that may read nothing but public things, and may act for people."""
    with platform.database.begin() as connection:
        app = users.create_user(
            connection,
            name="robot",
            display_name="robot",
            email=None,
            clearance=Classification.PUBLIC,
            is_admin=False,
            kind=UserKind.SERVICE,
        )
        token = issue_key(connection, user_id=app.id, name="k", acts_for=True).token
    return httpx.Client(base_url=desk.url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False)


@pytest.mark.parametrize("person", ["employee", "hr"])
def test_it_finds_and_lists_exactly_what_the_person_does(desk: Desk, robot: httpx.Client, person: str) -> None:
    headers = {ON_BEHALF_OF: desk.people[person].user_id}
    found = {}
    with desk.client(person) as own, robot:
        for question in QUESTIONS:
            body = {"query": question, "top_k": 10}
            mine = own.post("/v1/search", json=body).raise_for_status().json()["results"]
            its = robot.post("/v1/search", json=body, headers=headers).raise_for_status().json()["results"]
            assert its == mine
            found[question] = {passage["document_id"] for passage in its}
        listed = robot.get("/v1/documents", headers=headers).json()
        assert listed == own.get("/v1/documents").json()
    assert (desk.documents["salary"] in found[QUESTIONS[0]]) is (person == "hr")
    assert {item["id"] for item in listed["items"]} >= {desk.documents["handbook"]}


def test_what_it_asks_for_somebody_is_that_persons_conversation(desk: Desk, robot: httpx.Client) -> None:
    headers = {ON_BEHALF_OF: desk.people["employee"].user_id}
    with desk.client("employee") as own, robot:
        answer = robot.post("/v1/ask", json={"question": QUESTIONS[1]}, headers=headers).raise_for_status().json()
        assert answer["citations"]
        conversation = f"/v1/conversations/{answer['conversation_id']}"
        assert own.get(conversation).status_code == 200
        assert robot.get(conversation).status_code == 404


def test_over_mcp_too_it_reads_what_the_person_may(desk: Desk, robot: httpx.Client) -> None:
    arguments = {"id": desk.documents["salary"]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fetch", "arguments": arguments}}
    with robot:
        for person in ("hr", "employee"):
            headers = {ON_BEHALF_OF: desk.people[person].user_id, "Accept": "application/json"}
            result = robot.post("/mcp", json=call, headers=headers).raise_for_status().json()["result"]
            assert result["isError"] is (person == "employee")
            assert ("18,000" in str(result)) is (person == "hr")
