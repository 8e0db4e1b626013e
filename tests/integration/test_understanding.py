"""What a question is understood as, on the real path: for whom the glossary counts, which day is meant, which word."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from kbcore.bootstrap import Platform
from kbcore.domain.principal import Caller
from kbcore.metadata import documents, glossary
from kbcore.metadata.standpoint import AsOf, Narrowing
from kbcore.metadata.tables import traces
from services.query.answer import Answer, Said
from services.query.found import Found
from services.query.pipeline import ask, search
from services.query.request import AskRequest, Mode, SearchRequest
from services.query.understand.question import standalone
from services.query.understand.rewriter import rewriter
from tests.builders import Corpus, never_exact
from tests.integration.asking import Desk

LEAVE = "# 年休假\n\n年休假可以结转至次年三月三十一日，逾期作废。\n\n# 病假\n\n病假需提供医院证明。"
OFFICE = "# Badges\n\nThe incident commander wears a red badge.\n\n# Doors\n\nDoors are locked at night."
YEAR = datetime.now(UTC).astimezone().year


@pytest.fixture(params=["exact", "index"])
def corpus(platform: Platform, request: pytest.FixtureRequest) -> Corpus:
    if request.param == "index":
        never_exact(platform)
    built = Corpus.open(platform)
    built.space("public", "everyone")
    built.space("hr", "hr")
    built.add("public", "休假制度", LEAVE)
    built.add("public", "Office rules", OFFICE)
    return built


def entry(corpus: Corpus, space: str | None, term: str, *expansions: str) -> str:
    with corpus.platform.database.begin() as connection:
        space_id = None if space is None else corpus.spaces[space]
        return glossary.insert_entry(connection, space_id=space_id, term=term, expansions=expansions, created_by="test")


def find(corpus: Corpus, caller: Caller, query: str, **more: object) -> Found:
    return search(corpus.platform, caller, SearchRequest(query, 5, **more))  # type: ignore[arg-type]


def scores(found: Found) -> list[tuple[str, float]]:
    return [(item.passage.chunk_id, item.score) for item in found.ranked]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_term_finds_what_is_called_otherwise(corpus: Corpus, mode: Mode) -> None:
    li = corpus.person("li")
    before = find(corpus, li, "PTO", mode=mode)
    made = entry(corpus, None, "PTO", "年休假", "annual leave")
    after = find(corpus, li, "How about my PTO?", mode=mode)
    assert after.ranked[0].passage.heading == ("年休假",)
    assert after.understood.glossary == (made,)
    if mode is Mode.KEYWORD:
        assert before.ranked == ()


def test_a_spaces_glossary_counts_for_those_who_see_the_space(corpus: Corpus) -> None:
    outsider, insider = corpus.person("li"), corpus.person("zhou", "hr")
    before = {question: scores(find(corpus, outsider, question)) for question in ("PTO", "Is PTO 年休假?", "badge")}
    entry(corpus, "hr", "PTO", "年休假")
    entry(corpus, "hr", "badge", "年休假")
    assert {question: scores(find(corpus, outsider, question)) for question in before} == before
    assert find(corpus, outsider, "PTO").understood.glossary == ()
    assert len(find(corpus, insider, "PTO").understood.glossary) == 1
    elsewhere = find(corpus, insider, "PTO", narrowing=Narrowing(spaces=("public",)))
    assert elsewhere.understood.glossary == ()
    corpus.leave(insider, "hr")
    assert find(corpus, insider, "PTO").understood.glossary == ()


def test_scores_stay_shares_of_the_question(corpus: Corpus) -> None:
    entry(corpus, None, "年休假", "结转", "次年", "逾期作废")
    best = find(corpus, corpus.person("li"), "年休假").ranked[0]
    assert best.keyword is not None
    assert 0.5 < best.keyword <= 1.0


def test_a_misspelt_word_is_searched_as_it_was_meant_if_the_asker_may_read_it(corpus: Corpus) -> None:
    li = corpus.person("li")
    found = find(corpus, li, "Who is the incidnet comander?")
    assert found.understood.respelled == 2
    assert found.ranked[0].passage.heading == ("Badges",)
    assert found.ranked[0].keyword == find(corpus, li, "Who is the incident commander?").ranked[0].keyword
    assert find(corpus, li, "Who is the incident commander?").understood.respelled == 0


def test_words_of_hidden_documents_correct_nobody(corpus: Corpus) -> None:
    outsider, insider = corpus.person("li"), corpus.person("zhou", "hr")
    asked = "When does the zephyrous mergre close?"
    before = scores(find(corpus, outsider, asked))
    corpus.add("hr", "Zephyr", "# Zephyr\n\nThe zephyrus merger closes in March.")
    found = find(corpus, outsider, asked)
    assert (scores(found), found.understood.respelled) == (before, 0)
    assert find(corpus, insider, asked).understood.respelled > 0


@pytest.fixture
def dated(corpus: Corpus) -> Corpus:
    """A rule of last year, and its successor from this year on."""
    begin = datetime(YEAR - 1, 1, 1, tzinfo=UTC)
    old = "# 住宿标准\n\n一线城市住宿费限额为每晚 500 元。\n\n# Hotels\n\nHotels cost up to 500 yuan per night."
    key = corpus.add("public", "差旅制度", old, effective=(begin, None))
    with corpus.platform.database.begin() as connection:
        documents.update(connection, key, effective_from=datetime(YEAR, 1, 1, tzinfo=UTC))
    corpus.revise(key, "差旅制度", old.replace("500", "650"))
    return corpus


def final(corpus: Corpus, caller: Caller, question: str) -> tuple[Answer, str]:
    events = list(ask(corpus.platform, caller, AskRequest(question)))
    return next(e for e in events if isinstance(e, Answer)), "".join(e.text for e in events if isinstance(e, Said))


@pytest.mark.parametrize(
    ("question", "says", "begins"),
    [
        ("去年一线城市住宿费限额是多少？", "500", f"以下按 {YEAR - 1}-07-02 有效的版本回答。"),
        (f"{YEAR - 1}年一线城市住宿费限额是多少？", "500", f"以下按 {YEAR - 1}-07-02 有效的版本回答。"),
        ("How much could hotels cost per night last year?", "500", f"As in force on {YEAR - 1}-07-02:"),
        ("一线城市住宿费限额是多少？", "650", "根据"),
        ("今年一线城市住宿费限额是多少？", "650", "根据"),
        ("现行的一线城市住宿费限额是多少？", "650", "根据"),
        ("去年的年休假可以结转吗？", "结转", "根据"),
    ],
)
def test_time_words_ask_about_the_versions_of_then(dated: Corpus, question: str, says: str, begins: str) -> None:
    answer, said = final(dated, dated.person("li"), question)
    assert not answer.abstained
    assert says in answer.text
    assert answer.text.startswith(begins)
    assert said == answer.text
    moved = not begins.startswith("根据")
    assert (answer.as_of is not None) is moved
    assert all(citation.current is not moved for citation in answer.citations)


def test_who_says_a_time_itself_is_taken_at_its_word(dated: Corpus) -> None:
    li = dated.person("li")
    now = datetime.now(UTC)
    for as_of in (AsOf(effective_at=now), AsOf(time=now + timedelta(days=1))):
        found = find(dated, li, "去年一线城市住宿费限额是多少？", as_of=as_of)
        assert found.as_of == as_of
        assert found.understood.effective_at is None
        assert "650" in found.ranked[0].passage.text


def test_versions_that_may_not_be_read_move_nobody(corpus: Corpus) -> None:
    begin = datetime(YEAR - 1, 1, 1, tzinfo=UTC)
    key = corpus.add("hr", "年休假细则", "# 年休假\n\n年休假结转五天。", effective=(begin, None))
    with corpus.platform.database.begin() as connection:
        documents.update(connection, key, effective_from=datetime(YEAR, 1, 1, tzinfo=UTC))
    corpus.revise(key, "年休假细则", "# 年休假\n\n年休假结转六天。")
    question = "去年的年休假细则：结转几天？"
    assert find(corpus, corpus.person("zhou", "hr"), question).understood.effective_at is not None
    assert find(corpus, corpus.person("li"), question).understood.effective_at is None


def test_the_trace_says_how_a_question_was_understood_without_words_of_the_glossary(desk: Desk) -> None:
    made = entry(desk.corpus, "public", "PTO", "年假")
    with desk.client() as client:
        first = client.post("/v1/ask", json={"question": "PTO 可以结转吗？"}).raise_for_status().json()
        more = {"question": "最多几天？", "conversation_id": first["conversation_id"]}
        client.post("/v1/ask", json=more).raise_for_status()
        client.post("/v1/search", json={"query": "PTO"}).raise_for_status()
    with desk.corpus.platform.database.begin() as connection:
        paths = connection.execute(sa.select(traces.c.path).order_by(traces.c.id)).scalars().all()
    asked = [path["asked"] for path in paths]
    nothing = {"follow_up": None, "glossary": [], "respelled": 0, "effective_at": None}
    assert [each["understood"] for each in asked] == [
        {**nothing, "glossary": [made]},
        {**nothing, "follow_up": "rules", "glossary": [made]},
        {**nothing, "glossary": [made]},
    ]
    assert "年假" not in str([{**each, "standalone": None} for each in asked])
    assert "年假" not in first["answer"].partition("：")[0]


@pytest.mark.parametrize(
    "behaves", ["say", "broken", "rate_limited", "unauthorised", "cut", "garbage", "not_json", "silent"]
)
def test_a_model_completes_a_follow_up_or_the_rules_do(desk: Desk, behaves: str) -> None:
    platform = desk.corpus.platform
    rewriting = platform.settings.llm.model_copy(update={"rewrite": behaves})
    platform.settings = platform.settings.model_copy(update={"llm": rewriting})
    desk.chat.answer = "病假要提供什么证明？"
    request = AskRequest("那病假呢？", history=(("年假可以结转吗？", "可以。"),))
    found = standalone(request, rewriter(platform, request))
    assert len(desk.chat.requests) >= 1
    assert "可以。" not in str(desk.chat.requests), "questions alone are sent"
    if behaves == "say":
        assert (found.text, found.follow_up) == (desk.chat.answer, "model")
    else:
        assert (found.text, found.follow_up) == ("病假可以结转吗？", "rules")


def test_a_model_completes_an_english_follow_up(desk: Desk) -> None:
    platform = desk.corpus.platform
    rewriting = platform.settings.llm.model_copy(update={"rewrite": "slow"})
    platform.settings = platform.settings.model_copy(update={"llm": rewriting})
    desk.chat.answer = "What does a hotel in Shanghai cost?"
    request = AskRequest("And in Shanghai?", history=(("What does a hotel in Beijing cost?", "600 yuan."),))
    assert standalone(request, rewriter(platform, request)).text == desk.chat.answer
