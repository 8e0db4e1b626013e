"""Calibrations on real servers: what they propose, from whose questions, and who is told."""

import tomllib
from collections.abc import Iterator

import pytest

from kbcore.bootstrap import Platform
from kbcore.domain.evaluation import GoldenQuestion
from kbcore.metadata import golden_sets
from services.evaluation.runner import EvaluationRunner
from services.query.answer import Answer
from services.query.pipeline import ask
from services.query.request import AskRequest
from tests.integration.calibrating import SUBJECTS, UNANSWERED, answered, gates, make_set, unanswered
from tests.integration.evaluating import ANSWERS, Lab, open_lab

COUNTS = (len(SUBJECTS), len(UNANSWERED))


@pytest.fixture
def lab(platform: Platform) -> Iterator[Lab]:
    """Documents, questions about them, an administrator."""
    with open_lab(platform) as opened:
        yield opened


def test_what_is_proposed_parts_the_questions_and_what_is_in_force_is_judged_as_people_find_it(lab: Lab) -> None:
    english = [
        {"question": "Who signs contracts?", "documents": [{"document_id": lab.documents["Who signs contracts?"]}]}
    ]
    made = make_set(lab, "mixed", [*answered(lab), *unanswered(), *english])
    assert [item["answerable"] for item in made["questions"]].count(False) == len(UNANSWERED)
    read = lab.evaluate(set="mixed", calibrate=True)
    report, found = read["report"], read["report"]["calibration"]
    assert (report["questions"], report["unanswerable"], len(report["per_question"])) == (25, 12, 25)
    assert (found["keep"], found["left_out"], found["withheld"]) == (0.97, 0, 0)

    for setting in ("min_score_zh", "min_quote_zh"):
        gate = gates(read)[setting]
        assert (gate["answerable"], gate["unanswerable"], gate["made"]) == (*COUNTS, 0)
        assert gate["auc"] > 0.95
        assert gate["with_proposed"]["kept"] >= 0.9
        assert gate["with_proposed"]["refused"] >= 0.9
    few = gates(read)["min_score_cross"]
    assert (few["answerable"], few["unanswerable"], few["made"]) == (1, 1, 1)
    assert (few["proposed"], few["with_proposed"]) == (None, None)
    proposed = {setting: gate["proposed"] for setting, gate in gates(read).items() if gate["proposed"] is not None}
    assert tomllib.loads(found["configuration"]) == {"answer": proposed}

    events = [event for question in UNANSWERED for event in ask(lab.platform, lab.admin, AskRequest(question))]
    abstained = [event.abstained for event in events if isinstance(event, Answer)]
    chinese = next(row for row in found["languages"] if row["language"] == "zh")
    assert chinese["with_in_force"]["refused"] == sum(abstained) / len(UNANSWERED)

    less = lab.client.get(f"/v1/evaluations/{read['id']}?keep=0.5").json()
    assert less["report"]["calibration"]["keep"] == 0.5
    assert gates(less)["min_score_zh"]["proposed"] > gates(read)["min_score_zh"]["proposed"]
    for keep in ("0", "1.1", "nan"):
        assert lab.client.get(f"/v1/evaluations/{read['id']}?keep={keep}").status_code == 422


def test_questions_without_an_answer_are_made_where_there_are_none(lab: Lab) -> None:
    make_set(lab, "answered", answered(lab))
    gate = gates(lab.evaluate(set="answered", calibrate=True))["min_score_zh"]
    assert (gate["answerable"], gate["unanswerable"], gate["made"]) == (len(SUBJECTS),) * 3
    assert gate["auc"] > 0.8  # what is left is about other subjects
    assert gate["proposed"] is not None


def test_too_few_questions_are_judged_and_nothing_is_proposed(lab: Lab) -> None:
    make_set(lab, "few", [*answered(lab)[:5], *unanswered()])
    read = lab.evaluate(set="few", calibrate=True)
    assert {gate["proposed"] for gate in gates(read).values()} == {None}
    assert gates(read)["min_score_zh"]["with_in_force"]["kept"] is not None
    assert read["report"]["calibration"]["configuration"] == ""


def test_nobody_is_told_what_rests_on_documents_that_it_may_not_read(lab: Lab) -> None:
    lab.corpus.space("hr", "hr")
    lab.corpus.add("hr", "机密", "恐龙灭绝是因为陨石。")
    lab.corpus.person("insider", "hr")
    probe = {"question": UNANSWERED[0], "documents": [], "user": "insider"}
    own = {"question": UNANSWERED[1], "documents": []}
    first = next(iter(lab.documents.values()))
    both = {"question": "年假可以结转吗？", "documents": [{"document_id": first}], "user": "insider"}
    make_set(lab, "probing", [probe, own, both])
    blind = lab.evaluate(set="probing", calibrate=True)["report"]["calibration"]
    assert (blind["left_out"], blind["withheld"]) == (2, 0)
    assert [(row["answerable"], row["unanswerable"]) for row in blind["languages"]] == [(0, 1)]
    assert UNANSWERED[0] not in str(blind)

    lab.corpus.join(lab.admin, "hr")
    read = lab.evaluate(set="probing", calibrate=True)
    seen = read["report"]["calibration"]
    assert (seen["left_out"], seen["withheld"]) == (0, 0)
    assert [(row["answerable"], row["unanswerable"]) for row in seen["languages"]] == [(1, 2)]
    assert UNANSWERED[0] in str(seen["mistakes"])

    lab.corpus.leave(lab.admin, "hr")
    later = lab.client.get(f"/v1/evaluations/{read['id']}").json()["report"]["calibration"]
    assert (later["left_out"], later["withheld"]) == (0, 3)  # its own question, too: it was asked as a reader of HR
    assert later["languages"] == later["gates"] == later["mistakes"] == []


def test_an_erased_answer_does_not_make_a_question_without_one(lab: Lab) -> None:
    asked = [GoldenQuestion("q1", "年假可以结转吗？", lab.admin.user_id, ())]
    with lab.platform.database.begin() as connection:
        golden_sets.insert_set(connection, name="erased", questions=asked, created_by=lab.admin.user_id)
    report = lab.evaluate(set="erased", calibrate=True)["report"]
    assert (report["unanswerable"], report["calibration"]["gates"]) == (0, [])
    assert [item["why"] for item in report["left_out"]] == ["no_readable_document"]


def test_only_what_is_ordered_is_weighed_and_an_order_can_be_cancelled(lab: Lab) -> None:
    lab.golden_set()
    assert lab.evaluate()["report"]["calibration"] is None
    ordered = lab.client.post("/v1/evaluations", json={"set": "questions", "calibrate": True}).json()
    job = lab.client.get(f"/v1/jobs/{ordered['job_id']}").json()
    assert job["kind"] == "calibrate"
    lab.client.post(f"/v1/jobs/{ordered['job_id']}/cancel").raise_for_status()
    assert EvaluationRunner(lab.platform).run_next()
    assert lab.client.get(f"/v1/jobs/{ordered['job_id']}").json()["state"] == "cancelled"
    gate = lab.client.post(
        "/v1/golden-sets", json={"name": "none", "questions": [{"question": q, "documents": []} for q in ANSWERS]}
    )
    assert gate.status_code == 201
    refused = lab.client.post("/v1/evaluations", json={"set": "none", "gate": {"min_ndcg": 0.5}})
    assert refused.json()["code"] == "golden_set_too_small"
