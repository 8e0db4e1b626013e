"""The sample company in a running product: what each person is told, and that a second run does nothing again."""

import json
import stat
from pathlib import Path

import pytest

from services.cli.client import Client
from services.demo.manifest import SampleQuestion, manifest
from tests.e2e.product import Product

COMPANY = manifest()
PEOPLE = ("employee", "hr", "finance", "admin")


def external_ids(admin: Client) -> dict[str, str]:
    """Document id → external id."""
    return {d.id: d.external_id or "" for space in COMPANY.spaces for d in admin.documents(space.name)}


@pytest.mark.parametrize("question", COMPANY.questions, ids=lambda question: question.text)
def test_everybody_is_told_what_they_may_know_and_no_more(product: Product, question: SampleQuestion) -> None:
    with Client(product.url, product.admin_key) as admin:
        names = external_ids(admin)
    for person in PEOPLE:
        with Client(product.url, product.credentials[person]) as client:
            answer = client.ask(question.text)
        cited = {names[citation.document_id] for citation in answer.citations}
        if person in question.answered_for:
            assert not answer.abstained, person
            assert question.document in cited, (person, answer)
            assert question.contains is not None
            assert any(question.contains in citation.quote for citation in answer.citations), (person, answer)
        else:
            assert question.document not in cited, (person, answer)
            if not question.answered_for:
                assert answer.abstained, (person, answer)
                assert answer.answer.startswith(("我不知道", "I don't know"))


def test_the_new_version_answers_and_the_old_one_is_history(product: Product) -> None:
    with Client(product.url, product.credentials["employee"]) as client:
        [travel] = [d for d in client.documents("public") if d.external_id == "policy/travel-expenses"]
        found = client.search("一线城市住宿费限额每晚", top_k=20, mode="hybrid", spaces=["public"])
        old = client.call("GET", f"/v1/documents/{travel.id}/versions/1")
    assert travel.version == 2
    texts = [hit.text for hit in found.results if hit.document_id == travel.id]
    assert any("650 元" in text for text in texts)
    assert not any("500 元；省会" in text for text in texts)
    assert "每晚 500 元；省会" in old["text"]


def test_credentials_hold_exactly_the_address_and_four_keys(product: Product) -> None:
    file = product.home / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = json.loads(file.read_text())
    assert set(content) == {"url", *PEOPLE}
    assert content["url"] == product.url
    assert len({content[person] for person in PEOPLE}) == len(PEOPLE)


def test_a_second_run_ingests_nothing_and_keeps_the_keys(product: Product) -> None:
    before = product.credentials
    with Client(product.url, product.admin_key) as admin:
        epoch = admin.call("POST", "/v1/search", body={"query": "年假"})["epoch"]
    again = product.zhiku("demo", "--quiet")
    assert again.returncode == 0, again.stderr
    assert f"{len(COMPANY.documents) - 1} unchanged, 1 failed" in again.stdout
    assert product.credentials == before
    with Client(product.url, product.admin_key) as admin:
        assert admin.call("POST", "/v1/search", body={"query": "年假"})["epoch"] == epoch


def test_the_show_is_readable_in_a_file(product: Product) -> None:
    shown = product.zhiku("demo")
    assert shown.returncode == 0, shown.stderr
    for question in COMPANY.questions:
        assert question.text in shown.stdout
    assert "employee-handbook-2019.pdf" in shown.stdout
    assert "broken_file" in shown.stdout
    assert "\x1b[" not in shown.stdout
    assert "zk_" not in shown.stdout
    assert "credentials.json" in shown.stdout


def test_the_command_line_asks_searches_and_ingests(product: Product, tmp_path: Path) -> None:
    asked = product.zhiku("ask", "年假最多可以结转几天？", "--as", "employee", "--json")
    assert json.loads(asked.stdout)["citations"]
    found = product.zhiku("search", "E1042", "--as", "employee", "--mode", "keyword", "--json")
    assert "E1042" in json.loads(found.stdout)["results"][0]["text"]

    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "茶水间.md").write_text("# 茶水间\n\n咖啡机每周五下午由行政部清洗。\n", encoding="utf-8")
    (tmp_path / "notes" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing follows")
    mixed = product.zhiku("ingest", str(tmp_path), "--space", "public", "--json")
    assert mixed.returncode == 1
    outcomes = {Path(line["file"]).name: line for line in json.loads(mixed.stdout)}
    assert outcomes["茶水间.md"]["outcome"] == "indexed"
    assert outcomes["broken.pdf"]["outcome"] == "failed"
    assert outcomes["broken.pdf"]["reason"].startswith("broken_file")
    jobs = json.loads(product.zhiku("jobs", "--json").stdout)
    assert {"succeeded", "failed"} <= {job["state"] for job in jobs}


def test_the_command_line_says_plainly_what_is_wrong(product: Product) -> None:
    for arguments, words in (
        (("ask", "年假", "--as", "nobody"), "no key of 'nobody'"),
        (("search", "年假", "--space", "cellar"), "No such space"),
        (("ingest", str(product.home / "run"), "--space", "cellar"), "No such space"),
        (("jobs", "0190"), "No such job"),
    ):
        said = product.zhiku(*arguments)
        assert said.returncode == 1, arguments
        assert words in said.stderr
        assert "Traceback" not in said.stderr
