"""What the passages lack: names that stand in none, words that stand in none, and what both do to the evidence."""

import pytest

from kbcore.language.amounts import lacks_amount
from kbcore.language.asked_names import asked_names, missing_names
from kbcore.language.subject import subject, unheld
from kbcore.settings import AnswerSettings, load_settings
from services.query.abstain import EVIDENCE_TOO_WEAK, NOTHING_FOUND, evidence, too_weak
from services.query.found import Ranked
from tests.quality.answer_bench import passage

HOTELS = "Hotel costs are reimbursed up to 600 yuan per night in Beijing and Shanghai."
HOTELS_ZH = "一线城市（北京、上海）住宿费限额为每晚 650 元。"


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is the per-diem in Tokyo?", {"tokyo"}),
        ("Does the Middle East office pay for flights to São Tomé?", {"middle east", "tome"}),
        ("Tokyo: what is paid there?", set()),
        ("What Is The Meal Allowance For Trips?", set()),
        ("When is the counter open on Saturdays in March?", set()),
        ("What does the HR Handbook say about the USA?", set()),
        ("东京的住宿费限额是多少？", {"东京"}),
        ("巴西辦公室的員工怎麼辦理簽證？", {"巴西"}),
        ("中国的一线城市有哪些？", set()),
        ("许可证的东西长度上市", set()),
        ("年假可以结转吗？", set()),
        ("请问 Farm Cloud 的年费是多少？", set()),
        ("When was the RoboSapien toy released?", set()),
    ],
)
def test_names_in_a_question(question: str, named: set[str]) -> None:
    assert asked_names(question) == named


@pytest.mark.parametrize(
    ("question", "text", "missing"),
    [
        ("What is the limit in Tokyo?", HOTELS, {"tokyo"}),
        ("What is the limit in Shanghai?", HOTELS, set()),
        ("Who governs the Brazilian office?", "Our team in Brazil …", set()),
        ("Who followed the great Mongke?", "Möngke was followed by …", set()),
        ("Where does the Middle East team sit?", "The team in the middle sits …", set()),
        ("曼谷的住宿费限额是多少？", HOTELS_ZH, {"曼谷"}),
        ("北京市的住宿费限额是多少？", HOTELS_ZH, set()),
        ("英國的簽證怎麼辦？", "英国签证由行政部办理。", set()),
    ],
)
def test_a_name_is_missing_where_no_word_of_it_stands(question: str, text: str, missing: set[str]) -> None:
    assert missing_names(question, [text]) == missing


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("访客车辆停在哪里？", ("访客", "车辆")),
        ("FG-200 的质保期是多久？", ("质保", "fg")),
        ("食堂的晚餐几点结束？", ("食堂", "晚餐", "结束")),
        ("Could you please tell me how much the sports allowance is?", ("sport", "allow")),
        ("什么？", ()),
    ],
)
def test_what_a_question_is_about(question: str, words: tuple[str, ...]) -> None:
    assert subject(question) == words


@pytest.mark.parametrize(
    ("question", "text", "share"),
    [
        ("What does the sensor cost?", "The sensor lasts four years.", 0.5),
        ("When are laptops renewed?", "The renewal of a laptop …", 0.0),
        ("访客停车免费吗？", "访客车辆停放在 B1 层，免费停车四小时。", 0.0),
        ("网关的售价是多少？", "网关的质保期为 36 个月。", 0.5),
        ("網關的質保期多長？", "网关的质保期为 36 个月。", 0.0),
        ("停车场", "访客停车免费。", 0.5),
        ("What is it?", "Nothing.", 0.0),
    ],
)
def test_the_share_of_its_words_that_no_text_has(question: str, text: str, share: float) -> None:
    assert unheld(question, [text]) == pytest.approx(share)


@pytest.mark.parametrize(
    ("question", "quote", "lacking"),
    [
        ("What does an SN-30 sensor cost?", "Product line: SN.", True),
        ("What does an SN-30 sensor cost?", "A sensor is 680 yuan.", False),
        ("What is the share price in the plan?", "Everybody may buy shares in May.", True),
        ("What is the share price in the plan?", "At a discount of 15 %.", False),
        ("How can the cost be reduced?", "By sorting waste.", False),
        ("How heavy is the SN-30?", "It lasts 36 months.", True),
        ("How heavy is the SN-30?", "It has 450 g.", False),
        ("网关的售价是多少？", "适用固件：3.4 及以上。", True),
        ("网关的售价是多少？", "每台网关 1,200 元。", False),
        ("餐费要多少钱？", "食堂早餐免费。", False),
        ("网关有多重？", "适用固件：3.4 及以上。", True),
        ("网关有多重？", "净重 2.4 千克。", False),
        ("年假有多少天？", "每年有年休假。", False),
    ],
)
def test_an_amount_that_is_asked_for_must_be_quoted(question: str, quote: str, lacking: bool) -> None:
    assert lacks_amount(question, [quote]) is lacking


def test_a_missing_name_refuses_however_near_the_passage_is() -> None:
    for text, held, lacking in (
        (HOTELS, "What is the hotel limit in Shanghai?", "What is the hotel limit in Tokyo?"),
        (HOTELS_ZH, "上海的住宿费限额是多少？", "东京的住宿费限额是多少？"),
    ):
        assert too_weak(held, [_ranked(text, 0.95)], _settings()) is None
        assert too_weak(lacking, [_ranked(text, 0.95)], _settings()) == EVIDENCE_TOO_WEAK
    assert too_weak("东京", [], _settings()) == NOTHING_FOUND


def test_a_name_may_be_missing_in_a_passage_of_the_other_language() -> None:
    found = evidence("上海的住宿费限额是多少？", [_ranked(HOTELS, 0.9)], _settings())
    assert found.across
    assert not found.missing
    assert found.score == pytest.approx(0.9)
    assert not evidence("What is the limit in Shanghai?", [_ranked(HOTELS_ZH, 0.9)], _settings()).missing


def test_words_that_no_passage_has_weaken_the_evidence() -> None:
    ranked = [_ranked("The sensor lasts four years.", 0.9)]
    lasting, cost = (evidence(q, ranked, _settings()) for q in ("Does the sensor last?", "What does a sensor cost?"))
    assert lasting.score - cost.score == pytest.approx(_settings().missing_weight / 2)


def test_a_word_of_the_glossary_counts_as_its_term() -> None:
    ranked = [_ranked("年休假最多结转 5 天。", 0.9)]
    plain = evidence("探亲假可以结转吗？", ranked, _settings())
    assert evidence("探亲假可以结转吗？", ranked, _settings(), "年休假可以结转吗？").score > plain.score
    tokyo = "What is the hotel limit in Edo?", [_ranked(HOTELS, 0.95)], _settings()
    assert not evidence(*tokyo, "What is the hotel limit in Beijing?").missing


def _settings() -> AnswerSettings:
    return load_settings({}).answer


def _ranked(text: str, cosine: float) -> Ranked:
    return Ranked(passage(text, 0), score=cosine, dense=cosine, keyword=0.5)
