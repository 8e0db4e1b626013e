"""Evaluations on real servers: an equal generation passes the gate, a worse one is refused, rights hold throughout."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.job import JobKind, JobState
from kbcore.metadata import evaluations, jobs
from kbcore.metadata.conversations import add_feedback
from services.evaluation import measure, trials
from services.evaluation.runner import EvaluationRunner
from tests.integration.evaluating import ANSWERS, Lab, open_lab

GATE = {"max_drop": 0.02}


@pytest.fixture
def lab(platform: Platform) -> Iterator[Lab]:
    """Documents, questions about them, an administrator."""
    with open_lab(platform) as opened:
        yield opened


def test_an_equal_generation_passes(lab: Lab) -> None:
    lab.golden_set()
    equal = lab.copy("equal@1")
    read = lab.evaluate(generation=equal.id, compare_with=lab.corpus.generation.id, gate={**GATE, "min_ndcg": 0.5})
    report = read["report"]
    assert (read["passed"], report["refused_because"], report["worse"]) == (True, [], [])
    assert (report["drop"], report["p_value"], report["leaks"]) == (0.0, 1.0, [])
    assert (report["generation"]["index"], report["baseline"]["generation"]) == (
        f"equal@{equal.id}",
        lab.corpus.generation.id,
    )
    assert report["generation"]["figures"] == report["baseline"]["figures"]
    assert report["generation"]["p95_ms"] >= report["generation"]["p50_ms"] > 0
    assert (report["questions"], len(report["per_question"]), report["left_out"]) == (len(ANSWERS), len(ANSWERS), [])
    assert report["trials"] == len(ANSWERS)  # one person and so many questions: there are no more pairs


def test_a_worse_generation_is_refused_and_the_report_says_where(lab: Lab) -> None:
    lab.golden_set()
    worse = lab.copy("worse@1", turn=3)
    read = lab.evaluate(generation=worse.id, compare_with=lab.corpus.generation.id, gate=GATE)
    report = read["report"]
    assert (read["passed"], report["refused_because"]) == (False, ["drop"])
    assert report["drop"] > 0.3
    assert report["p_value"] < 0.05
    losses = [row["baseline"]["ndcg_10"] - row["figures"]["ndcg_10"] for row in report["worse"]]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 0
    assert {row["question"] for row in report["worse"]} <= set(ANSWERS)
    with lab.platform.database.begin() as connection:
        latest = evaluations.latest_gate_of(connection, worse.id)
        stored = connection.execute(sa.text("SELECT report::text FROM evaluations")).scalar_one()
    assert latest is not None
    assert latest.passed is False
    assert not any(question in stored or answer in stored for question, answer in ANSWERS.items())


def test_a_measurement_without_a_gate_decides_nothing(lab: Lab) -> None:
    lab.golden_set()
    read = lab.evaluate()
    assert (read["passed"], read["report"]["refused_because"], read["report"]["baseline"]) == (None, None, None)
    assert read["generation"] == lab.corpus.generation.id
    assert read["report"]["generation"]["figures"]["ndcg_10"] > 0.5
    reached = read["report"]["generation"]["figures"]["ndcg_10"]
    assert lab.evaluate(gate={"min_ndcg": reached})["passed"] is True


def test_a_floor_is_a_floor(lab: Lab) -> None:
    lab.golden_set()
    worse = lab.copy("worse@1", turn=3)
    read = lab.evaluate(generation=worse.id, gate={"min_ndcg": 0.9})
    assert (read["passed"], read["report"]["refused_because"]) == (False, ["below_min_ndcg"])


def test_questions_whose_documents_are_gone_are_left_out_and_too_few_are_refused(lab: Lab) -> None:
    lab.golden_set()
    for document in list(lab.documents.values())[:4]:
        lab.corpus.delete(document)
    read = lab.evaluate(gate={"min_ndcg": 0.0})
    assert (read["passed"], read["report"]["refused_because"]) == (False, ["too_few_questions"])
    assert [item["why"] for item in read["report"]["left_out"]] == ["no_readable_document"] * 4


def test_each_question_is_asked_with_its_askers_rights(lab: Lab) -> None:
    lab.corpus.space("hr", "hr")
    secret = lab.corpus.add("hr", "薪酬", "P5 级工程师的月薪范围是 18,000 至 26,000 元。")
    insider = lab.corpus.person("insider", "hr")
    lab.corpus.person("outsider")
    question = {"question": "P5 级工程师的月薪范围是多少？", "documents": [{"document_id": secret}]}
    refused = {
        who: lab.client.post("/v1/golden-sets", json={"name": who, "questions": [{**question, "user": who}]})
        for who in ("outsider", "admin")
    }
    unknown = lab.client.post(
        "/v1/golden-sets", json={"name": "x", "questions": [{**question, "documents": [{"document_id": "nothing"}]}]}
    )
    for answer in refused.values():
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_document")
        assert {**answer.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}
    body = {"name": "pay", "questions": [question], "ask_as": "insider"}
    hidden = lab.client.post("/v1/golden-sets", json=body)  # its figures would tell what the document holds
    assert {**hidden.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}
    lab.corpus.join(lab.admin, "hr")
    made = lab.client.post("/v1/golden-sets", json=body).json()
    assert made["questions"][0]["user_id"] == insider.user_id
    assert lab.evaluate(set="pay")["report"]["generation"]["figures"]["mrr"] == 1.0
    lab.corpus.leave(insider, "hr")
    assert lab.evaluate(set="pay")["report"]["left_out"] == [
        {"id": made["questions"][0]["id"], "why": "no_readable_document"}
    ]
    with lab.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE users SET active = false WHERE id = :id"), {"id": insider.user_id})
    assert lab.evaluate(set="pay")["report"]["left_out"][0]["why"] == "asker_gone"
    gone = lab.client.post("/v1/golden-sets", json={"name": "y", "questions": [question], "ask_as": "insider"})
    assert gone.json()["code"] == "unknown_user"


def test_questions_about_what_the_reader_may_not_read_are_in_the_means_only(lab: Lab) -> None:
    lab.corpus.space("hr", "hr")
    secret = lab.corpus.add("hr", "薪酬", "P5 级工程师的月薪范围是 18,000 至 26,000 元。")
    lab.corpus.person("insider", "hr")
    lab.corpus.join(lab.admin, "hr")
    question, document = next(iter(lab.documents.items()))
    pay = {"question": "P5 级工程师的月薪范围是多少？", "documents": [{"document_id": secret}], "user": "insider"}
    leave = {"question": question, "documents": [{"document_id": document}]}
    made = lab.client.post("/v1/golden-sets", json={"name": "both", "questions": [pay, leave]}).json()
    whole = lab.evaluate(set="both")
    assert {row["id"] for row in whole["report"]["per_question"]} == {item["id"] for item in made["questions"]}
    assert whole["report"]["withheld"] == 0

    lab.corpus.leave(lab.admin, "hr")
    read = lab.client.get(f"/v1/evaluations/{whole['id']}").json()["report"]
    assert [row["question"] for row in read["per_question"]] == [question]
    assert (read["questions"], read["withheld"]) == (2, 1)
    assert read["generation"] == whole["report"]["generation"]
    assert made["questions"][0]["id"] not in str(read)


def test_documents_are_named_by_external_id_too(lab: Lab) -> None:
    document = next(iter(lab.documents.values()))
    with lab.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE documents SET external_id = 'a/leave.md' WHERE id = :id"), {"id": document})
    for space in ("public", lab.corpus.spaces["public"]):
        ref = {"space": space, "external_id": "a/leave.md"}
        body = {
            "name": f"by-{space[:6]}",
            "questions": [{"question": "leave?", "documents": [ref, {"document_id": document}]}],
        }
        made = lab.client.post("/v1/golden-sets", json=body).json()
        assert made["questions"][0]["documents"] == [document]
    for ref in ({"space": "hr", "external_id": "a/leave.md"}, {"space": "public", "external_id": "b"}):
        body = {"name": "z", "questions": [{"question": "leave?", "documents": [ref]}]}
        assert lab.client.post("/v1/golden-sets", json=body).json()["code"] == "unknown_document"
    both = {"document_id": document, "space": "public", "external_id": "b"}
    for ref in ({}, {"space": "public"}, both):
        body = {"name": "z", "questions": [{"question": "leave?", "documents": [ref]}]}
        assert lab.client.post("/v1/golden-sets", json=body).status_code == 422


def test_a_gate_that_could_not_judge_is_refused_when_ordered(lab: Lab) -> None:
    lab.golden_set()
    first = next(iter(lab.documents.values()))
    one = [{"question": "leave?", "documents": [{"document_id": first}]}]
    lab.client.post("/v1/golden-sets", json={"name": "one", "questions": one}).raise_for_status()
    building = lab.copy("unfinished@1")
    with lab.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE generations SET state = 'building' WHERE id = :id"), {"id": building.id})

    def code(**order: Any) -> tuple[int, str]:
        answer = lab.client.post("/v1/evaluations", json={"set": "questions", **order})
        return answer.status_code, answer.json()["code"]

    assert code(set="one", gate={"min_ndcg": 0.5}) == (422, "golden_set_too_small")
    assert code(gate={"max_drop": 0.1}) == (422, "gate_needs_measure")
    assert code(set="unknown") == (404, "golden_set_not_found")
    assert code(generation=999) == (404, "index_not_found")
    assert code(compare_with=building.id) == (409, "index_not_ready")
    assert lab.client.post("/v1/golden-sets", json={"name": "none"}).json()["code"] == "golden_set_empty"
    assert lab.client.get("/v1/evaluations").json()["items"] == []


def test_good_feedback_becomes_questions_of_those_who_gave_it(lab: Lab) -> None:
    asker = lab.corpus.person("asker")
    lab.client.headers["authorization"], admin = lab.key_of(asker), lab.client.headers["authorization"]
    asked = [
        lab.client.post("/v1/ask", json={"question": question}).raise_for_status().json()
        for question in ("年假可以结转吗？", "病假需要什么证明？", "数据备份保留多久？", "公司的股票代码是什么？")
    ]
    thread = {"question": "最多几天？", "conversation_id": asked[0]["conversation_id"]}
    asked.append(lab.client.post("/v1/ask", json=thread).raise_for_status().json())  # means nothing by itself
    assert [answer["abstained"] for answer in asked] == [False, False, False, True, False]
    for answer in asked:
        lab.client.post("/v1/feedback", json={"trace_id": answer["trace_id"], "rating": 1}).raise_for_status()
    lab.client.post("/v1/feedback", json={"trace_id": asked[1]["trace_id"], "rating": -1}).raise_for_status()
    lab.client.headers["authorization"] = admin
    with lab.platform.database.begin() as connection:  # somebody who calls another's answer good says nothing
        stranger = lab.client.get("/v1/users/me").json()["id"]
        add_feedback(connection, stranger, asked[1]["trace_id"], 1, reason=None, comment=None, complaint=False)
    made = lab.client.post("/v1/golden-sets", json={"name": "praised", "from_feedback": True}).json()
    assert {item["question"] for item in made["questions"]} == {"年假可以结转吗？", "数据备份保留多久？"}
    assert {item["user_id"] for item in made["questions"]} == {asker.user_id}
    cited = {answer["citations"][0]["document_id"] for answer in (asked[0], asked[2])}
    assert {item["documents"][0] for item in made["questions"]} == cited


def test_a_set_is_kept_as_it_is_and_goes_with_its_evaluations(lab: Lab) -> None:
    made = lab.golden_set()
    question = {"question": "?", "documents": [{"document_id": next(iter(lab.documents.values()))}]}
    taken = lab.client.post("/v1/golden-sets", json={"name": "questions", "questions": [question]})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert lab.client.get("/v1/golden-sets/questions").json() == made
    listed = lab.client.get("/v1/golden-sets").json()["items"]
    assert [(item["name"], item["size"]) for item in listed] == [("questions", len(ANSWERS))]
    read = lab.evaluate()
    assert [item["id"] for item in lab.client.get("/v1/evaluations").json()["items"]] == [read["id"]]
    assert lab.client.delete("/v1/golden-sets/questions").status_code == 204
    assert lab.client.get(f"/v1/evaluations/{read['id']}").json()["code"] == "evaluation_not_found"


def test_a_killed_process_leaves_the_work_to_another_one(lab: Lab) -> None:
    lab.golden_set()
    ordered = lab.client.post("/v1/evaluations", json={"set": "questions"}).json()
    killed, successor = EvaluationRunner(lab.platform), EvaluationRunner(lab.platform)
    with lab.platform.database.begin() as connection:
        held = jobs.claim_next(connection, JobKind.EVALUATE, killed.holder, 30)
    assert held is not None
    assert not successor.run_next()
    with lab.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET lease_until = now() - interval '1 second'"))
    assert successor.run_next()
    finished = lab.client.get(f"/v1/evaluations/{ordered['id']}").json()
    assert finished["report"]["questions"] == len(ANSWERS)
    assert killed.carry_out(held)  # it was only slow: what it found is not written over the other's
    assert lab.client.get(f"/v1/evaluations/{ordered['id']}").json() == finished


def test_an_index_that_is_dropped_meanwhile_is_not_a_bad_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else dropping the baseline would open the gate."""
    lab.golden_set()
    other = lab.copy("other@1")
    order = {"set": "questions", "compare_with": other.id, "gate": GATE}
    ordered = lab.client.post("/v1/evaluations", json=order).json()

    def drop_first(*args: Any, **more: Any) -> list[trials.Pair]:
        with lab.platform.database.begin() as connection:
            connection.execute(sa.text("UPDATE generations SET state = 'dropped' WHERE id = :id"), {"id": other.id})
        return draw_pairs(*args, **more)

    draw_pairs = trials.draw_pairs
    monkeypatch.setattr(measure, "draw_pairs", drop_first)
    assert EvaluationRunner(lab.platform).run_next()
    assert lab.client.get(f"/v1/jobs/{ordered['job_id']}").json()["error"]["code"] == "index_gone"
    assert lab.client.get(f"/v1/evaluations/{ordered['id']}").json()["passed"] is None


def test_a_model_that_is_configured_no_more_ends_it(lab: Lab) -> None:
    lab.golden_set()
    other = lab.copy("forgotten@1")
    ordered = lab.client.post("/v1/evaluations", json={"set": "questions", "generation": other.id}).json()
    del lab.platform.__dict__["embedder_for"]
    assert EvaluationRunner(lab.platform).run_next()
    assert lab.client.get(f"/v1/jobs/{ordered['job_id']}").json()["error"]["code"] == "embedding_mismatch"


def test_it_is_cancelled_repeated_and_given_up(lab: Lab) -> None:
    lab.golden_set()
    ordered = lab.client.post("/v1/evaluations", json={"set": "questions"}).json()
    path = f"/v1/jobs/{ordered['job_id']}"
    lab.client.post(f"{path}/cancel").raise_for_status()
    runner = EvaluationRunner(lab.platform)
    assert runner.run_next()
    assert lab.client.get(path).json()["state"] == "cancelled"
    assert lab.client.get(f"/v1/evaluations/{ordered['id']}").json()["report"] is None
    lab.client.post(f"{path}/retry").raise_for_status()
    with lab.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET attempts = 3"))
    assert runner.run_next()
    assert lab.client.get(path).json()["error"]["code"] == "worker_lost"
    lab.client.post(f"{path}/retry").raise_for_status()
    lab.client.delete("/v1/golden-sets/questions").raise_for_status()
    assert runner.run_next()
    assert lab.client.get(path).json()["error"]["code"] == "evaluation_deleted"


def test_the_thread_finds_what_is_ordered_and_goes_back_in_line_when_stopped(lab: Lab) -> None:
    lab.golden_set()
    runner = EvaluationRunner(lab.platform)
    ordered = lab.client.post("/v1/evaluations", json={"set": "questions"}).json()
    runner.start()
    with lab.client.stream("GET", f"/v1/jobs/{ordered['job_id']}/events", timeout=60) as events:
        assert "event: done" in list(events.iter_lines())
    runner.stop()
    assert not runner.is_alive()
    again = lab.client.post("/v1/evaluations", json={"set": "questions"}).json()
    with lab.platform.database.begin() as connection:
        job = jobs.claim_next(connection, JobKind.EVALUATE, runner.holder, 30)
    assert job is not None
    assert not runner.carry_out(job)
    with lab.platform.database.begin() as connection:
        waiting = jobs.get(connection, again["job_id"])
    assert waiting is not None
    assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 0)
