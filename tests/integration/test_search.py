"""The search, end to end on real servers: what is found, for whom, and as of when."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ingestion.publish import Publisher
from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.errors import AclUnavailable, NotFound, Unavailable, Unprocessable
from kbcore.metadata.database import Database
from kbcore.metadata.standpoint import AsOf, Narrowing
from services.query.found import Found
from services.query.pipeline import search
from services.query.request import Mode, SearchRequest
from tests.builders import Corpus, never_exact

LEAVE = """# 年假

员工入职满一年后享有年假。年假可以结转至次年三月三十一日，逾期作废。

# 病假

病假需提供医院证明，三天以内由直属主管批准。
"""
SALARY = """# 薪酬等级

P5 级工程师的月薪范围是 18,000 至 26,000 元。薪酬信息不得外传。
"""
TRAVEL = """# Hotels

Hotel costs are reimbursed up to 600 yuan per night in Beijing and Shanghai.

# Flights

Book economy class. Error code E-4471 means that the trip was not approved.
"""


@pytest.fixture(params=["exact", "index"])
def corpus(platform: Platform, request: pytest.FixtureRequest) -> Corpus:
    """Searched in SQL as so small a library is, and by the vector index."""
    if request.param == "index":
        never_exact(platform)
    built = Corpus.open(platform)
    built.space("public", "everyone")
    built.space("hr", "hr")
    return built


def find(corpus: Corpus, caller: Caller, query: str, top_k: int = 5, **more: object) -> Found:
    return search(corpus.platform, caller, SearchRequest(query, top_k, **more))  # type: ignore[arg-type]


def texts(found: Found) -> str:
    return "\n".join(item.passage.text for item in found.ranked)


def test_each_person_finds_what_they_may_read(corpus: Corpus) -> None:
    corpus.add("public", "员工手册", LEAVE)
    corpus.add("hr", "薪酬制度", SALARY)
    employee, hr = corpus.person("li"), corpus.person("wang", "hr")
    assert "18,000" in texts(find(corpus, hr, "工程师月薪是多少"))
    assert "18,000" not in texts(find(corpus, employee, "工程师月薪是多少"))
    assert "三月三十一日" in find(corpus, employee, "年假可以结转吗").ranked[0].passage.text


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_finds_and_scores(corpus: Corpus, mode: Mode) -> None:
    corpus.add("public", "Travel policy", TRAVEL)
    corpus.add("public", "员工手册", LEAVE)
    found = find(corpus, corpus.person("li"), "error code E-4471", mode=mode)
    best = found.ranked[0]
    assert "E-4471" in best.passage.text
    assert (best.dense is None) == (mode is Mode.KEYWORD)
    assert [item.score for item in found.ranked] == sorted((item.score for item in found.ranked), reverse=True)


def test_passages_are_exactly_the_stored_text(corpus: Corpus) -> None:
    for text in (LEAVE, SALARY, TRAVEL):
        corpus.add("public", "x", text)
    found = find(corpus, corpus.person("li"), "policy 制度", top_k=50)
    assert len(found.ranked) >= 3
    for item in found.ranked:
        passage = item.passage
        stored = corpus.text_of(passage.document_id, passage.version)
        assert stored[passage.start : passage.end] == passage.text


def test_the_new_version_replaces_the_old_one_and_as_of_goes_back(corpus: Corpus) -> None:
    document = corpus.add("public", "Travel policy", TRAVEL)
    person = corpus.person("li")
    with corpus.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE publications SET committed_at = committed_at - interval '1 day'"))
    corpus.revise(document, "Travel policy", TRAVEL.replace("600", "750"))
    now = find(corpus, person, "hotel costs")
    then = find(corpus, person, "hotel costs", as_of=AsOf(time=datetime.now(UTC) - timedelta(hours=1)))
    assert "750" in texts(now)
    assert "600" not in texts(now)
    assert "600" in texts(then)
    assert "750" not in texts(then)
    assert then.standpoint.epoch < now.standpoint.epoch
    assert not find(corpus, person, "hotel costs", as_of=AsOf(time=datetime(2001, 1, 1, tzinfo=UTC))).ranked
    assert then.ranked[0].passage.version == 1


def test_rights_of_the_past_do_not_come_back_with_as_of(corpus: Corpus) -> None:
    corpus.add("hr", "薪酬制度", SALARY)
    person = corpus.person("wang", "hr")
    before = datetime.now(UTC) + timedelta(seconds=1)
    assert find(corpus, person, "月薪", as_of=AsOf(time=before)).ranked
    corpus.leave(person, "hr")
    assert not find(corpus, person, "月薪", as_of=AsOf(time=before)).ranked


def test_deletion_revocation_and_classification_act_at_once(corpus: Corpus) -> None:
    document = corpus.add("public", "员工手册", LEAVE)
    secret = corpus.add("public", "薪酬制度", SALARY, classification=Classification.RESTRICTED)
    person = corpus.person("li")
    assert {item.passage.document_id for item in find(corpus, person, "年假 月薪").ranked} == {document}
    assert secret not in texts(find(corpus, person, "月薪"))
    corpus.delete(document)
    assert not find(corpus, person, "年假").ranked


def test_documents_out_of_force_are_left_out(corpus: Corpus) -> None:
    now = datetime.now(UTC)
    corpus.add("public", "old", LEAVE, effective=(None, now - timedelta(days=1)))
    corpus.add("public", "new", LEAVE.replace("三月三十一日", "六月三十日"), effective=(now - timedelta(days=1), None))
    corpus.add(
        "public", "later", LEAVE.replace("三月三十一日", "九月三十日"), effective=(now + timedelta(days=1), None)
    )
    found = texts(find(corpus, corpus.person("li"), "年假可以结转吗", top_k=20))
    assert "六月三十日" in found
    assert "三月三十一日" not in found
    assert "九月三十日" not in found


def test_filters_narrow_among_readable_documents(corpus: Corpus) -> None:
    corpus.add("public", "a", LEAVE, tags=["policy", "cn"], metadata={"region": "CN", "year": 2026})
    corpus.add("public", "b", TRAVEL, tags=["policy"], metadata={"region": "EU"})
    corpus.add("hr", "c", SALARY, tags=["policy"], metadata={"region": "CN"})
    person = corpus.person("li")

    def titles(**narrowing: object) -> set[str]:
        found = find(corpus, person, "policy 年假 hotel 月薪", top_k=20, narrowing=Narrowing(**narrowing))  # type: ignore[arg-type]
        return {item.passage.title for item in found.ranked}

    assert titles() == {"a", "b"}
    assert titles(tags=("policy",)) == {"a", "b"}
    assert titles(tags=("policy", "cn")) == {"a"}
    assert titles(metadata={"region": "CN"}) == {"a"}
    assert titles(metadata={"year": 2026}) == {"a"}
    assert titles(language="en") == {"b"}
    assert titles(tags=("nothing",)) == set()
    assert titles(spaces=("public",)) == {"a", "b"}
    assert titles(spaces=(corpus.spaces["public"],), tags=("cn",)) == {"a"}
    assert titles(spaces=()) == set()


def test_unknown_and_hidden_spaces_look_the_same(corpus: Corpus) -> None:
    corpus.add("hr", "c", SALARY)
    person, admin = corpus.person("li"), corpus.person("root", is_admin=True)
    answers = []
    for space in ("hr", "no-such-space", corpus.spaces["hr"]):
        with pytest.raises(NotFound) as refused:
            find(corpus, person, "月薪", narrowing=Narrowing(spaces=("public", space)))
        answers.append((refused.value.status, refused.value.code, refused.value.detail))
    assert set(answers) == {(404, "space_not_found", "No such space.")}
    assert not find(corpus, admin, "月薪", narrowing=Narrowing(spaces=("hr",))).ranked  # sees the space, reads nothing


def test_a_document_granted_by_itself_is_found_through_its_space(corpus: Corpus) -> None:
    document = corpus.add("hr", "c", SALARY)
    person = corpus.person("li")
    with corpus.platform.database.begin() as connection:
        connection.execute(
            sa.text(
                "WITH p AS (INSERT INTO policies (digest) VALUES ('x') RETURNING id), "
                "e AS (INSERT INTO policy_entries SELECT id, :who, 'reader' FROM p) "
                "UPDATE documents SET own_policy_id = (SELECT id FROM p) WHERE id = :id"
            ),
            {"who": f"user:{person.user_id}", "id": document},
        )
    Publisher(corpus.platform).restamp(document)
    assert find(corpus, person, "月薪", narrowing=Narrowing(spaces=("hr",))).ranked


def test_widening_finds_what_the_check_had_pushed_out(corpus: Corpus) -> None:
    for number in range(60):
        corpus.add("public", f"gone {number}", f"Hotel costs in city {number} are reimbursed.", publish=False)
    corpus.publish()
    kept = corpus.add("public", "kept", "Lodging is paid for by the company when you travel.")
    with corpus.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE documents SET deleted_at = now() WHERE id <> :id"), {"id": kept})
    found = find(corpus, corpus.person("li"), "hotel costs are reimbursed", top_k=3)
    assert [item.passage.document_id for item in found.ranked] == [kept]


def test_bad_questions_are_refused(corpus: Corpus) -> None:
    person = corpus.person("li")
    with pytest.raises(Unprocessable, match="empty"):
        find(corpus, person, " \n ")
    with pytest.raises(Unprocessable, match="limit is 4000"):
        find(corpus, person, "年" * 4001)
    for odd in ("😀", "的", "a" * 3999, "%_'\"\\"):
        find(corpus, person, odd)


def test_an_index_of_another_model_is_not_searched(corpus: Corpus) -> None:
    with corpus.platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE generations SET embedding = 'other@1'"))
    with pytest.raises(Unavailable, match=r"other@1.*\[\[embedding_profiles\]\]"):
        find(corpus, corpus.person("li"), "年假")


def test_before_the_first_publication_there_is_nothing(platform: Platform) -> None:
    built = Corpus(platform, None)  # type: ignore[arg-type]
    found = find(built, built.person("li"), "年假")
    assert found.ranked == ()
    assert found.standpoint.index is None


def test_without_sql_or_milvus_nothing_is_shown(corpus: Corpus) -> None:
    corpus.add("public", "a", LEAVE)
    person = corpus.person("li")
    alive = corpus.platform.__dict__["database"]
    corpus.platform.__dict__["database"] = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(AclUnavailable):
        find(corpus, person, "年假")
    corpus.platform.__dict__["database"] = alive
    assert find(corpus, person, "年假").ranked
