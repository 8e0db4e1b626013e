"""What the rest of understanding is worth on the sample company: glossary, time words, spelling, other languages.

    python -m tests.quality.understanding

For each question: the place of the wanted passage without and with it. The questions are written by hand.
"""

from dataclasses import replace
from unittest.mock import patch

import structlog

from kbcore.domain.document import Classification
from kbcore.domain.principal import Caller
from kbcore.metadata import glossary
from services.demo.manifest import manifest
from services.query.abstain import too_weak
from services.query.found import Found
from services.query.pipeline import _look, search
from services.query.request import SearchRequest
from services.query.understand.glossary import expansions
from tests.builders import Corpus
from tests.quality.answer_samples import final, settle
from tests.servers.embedded import embedded_platform

GLOSSARY = {
    "PTO": ("年休假", "annual leave"),
    "年假": ("年休假",),
    "RTO": ("故障恢复", "到岗"),
    "打的": ("出租车", "网约车"),
    "WFH": ("远程办公", "remote work"),
    "饭补": ("伙食补助",),
    "EHS": ("消防与急救",),
    "OT": ("加班", "overtime"),
    "oncall": ("值班", "on-call"),
    "报障": ("helpdesk", "ticket"),
    "随礼": ("gift", "gifts"),
    "健身补贴": ("sports allowance", "gym membership"),
    "体检": ("medical check-up",),
    "事故": ("incident",),
    "土壤传感器": ("soil sensor", "SN-30"),
    "per diem": ("伙食补助",),
    "stipend": ("值班补贴",),
    "sick note": ("病假证明",),
}
EXPANDED = (
    ("PTO 可以结转到明年吗？", "最多结转 5 天"),
    ("How many days of PTO can be carried over?", "最多结转 5 天"),
    ("打的每天最多报多少？", "每日报销上限为 150 元"),
    ("WFH 每周几天？", "远程办公每周最多两天"),
    ("How many days of WFH per week?", "远程办公每周最多两天"),
    ("出差饭补是多少？", "伙食补助为每天 100 元"),
    ("OT 怎么算钱？", "1.5 倍"),
    ("oncall 周末补贴多少？", "休息日每天 300 元"),
    ("紧急报障多久有人处理？", "within 30 minutes"),
    ("随礼最多收多少？", "up to 300 yuan"),
    ("健身补贴有多少？", "Gym membership"),
    ("体检什么时候预约？", "between April and October"),
    ("一级事故头十分钟做什么？", "pages the incident commander"),
    ("土壤传感器埋多深？", "depth of 20 centimetres"),
    ("What is the per diem on business trips?", "伙食补助为每天 100 元"),
    ("What is the on-call stipend on weekends?", "休息日每天 300 元"),
    ("When do I need a sick note?", "病假证明"),
)
NOWHERE = (
    "PTO 可以折成现金捐出去吗？",
    "WFH 有电费补贴吗？",
    "打的可以带宠物吗？",
    "体检包括基因检测吗？",
    "健身补贴可以买滑雪板吗？",
    "oncall 期间可以喝酒吗？",
    "OT 以后可以领睡袋吗？",
    "Can PTO be sold to a colleague?",
    "Does the per diem include souvenirs?",
    "Which colour is a sick note?",
)
MISSPELT = (
    ("Who is the incidnet comander?", "leads, assigns work"),
    ("How long must a pasword be?", "at least 14 characters"),
    ("What is the limit for gifts and hospitalty?", "up to 300 yuan"),
    ("What does the suplementary medical insurence cover?", "reimburses 90 %"),
    ("How many charakters does a password need?", "at least 14 characters"),
    ("How is the sensor calibratd in saline soils?", "greenhouse substrate"),
    ("How long are raw sensor readngs kept?", "three years"),
    ("Who approves colour printng?", "Colour printing"),
    ("Are licence reviews needed for softwear?", "licence review"),
    ("Who wraps erors in Go?", "Errors are wrapped"),
)
RIGHT = (
    "What is the visa procedure for employees who move to the Brazil office?",
    "Which dentists does the insurance recommend?",
    "Does the canteen serve vegetarian lunches?",
    "How many penguins does the company own?",
    "What does the police officer say?",
    "Is there a swimming pool?",
)
# The document's day: True = another version than today's is meant.
DATED = (
    ("去年一线城市的住宿费限额是多少？", True, "每晚 500 元"),
    ("2025年出差的伙食补助是多少？", True, "每天 80 元"),
    ("2025年上半年出租车每日报销上限是多少？", True, "100 元"),
    ("去年出差后多久内要提交报销单？", True, "30 日内"),
    ("What was the hotel limit in first-tier cities last year?", True, "每晚 500 元"),
    ("How much was the meal allowance per travel day in 2025?", True, "每天 80 元"),
    ("今年一线城市的住宿费限额是多少？", False, "每晚 650 元"),
    ("现行的伙食补助是多少？", False, "每天 100 元"),
    ("明年一线城市的住宿费限额是多少？", False, "每晚 650 元"),
    ("2026年第三季度公司的营业收入和净利润是多少？", False, "3.25"),
    ("2025年第三季度的营业收入是多少？", False, ""),
    ("去年的年假可以结转吗？", False, "最多结转 5 天"),
    ("上个月的值班补贴是多少？", False, "150 元"),
    ("What were the revenues in Q3 2025?", False, ""),
    ("Can last year's leave be carried over?", False, "最多结转 5 天"),
    ("When is the Spring Festival holiday in 2026?", False, "春节"),
    ("2024年的绩效考核等级有哪些？", False, ""),
    ("2025年的 P6 基本工资范围是多少？", False, ""),
)
ACROSS = (
    ("客户数据在合同结束后保存多久？", "60 days after its end"),
    ("密码至少要多少位？", "at least 14 characters"),
    ("代码评审要在多久内完成？", "within one working day"),
    ("可以收供应商的购物卡吗？", "gift cards"),
    ("数据泄露要在多少小时内通知监管机构？", "72 hours"),
    ("新的依赖可以用什么许可证？", "MIT, BSD"),
    ("学习预算每年多少钱？", "learning budget"),
    ("How much is the mentor's reward?", "1,000 元奖励"),
    ("Where do visitors park?", "B1 层 C 区"),
    ("When are fixes released at weekends or before holidays?", "周五和节假日前一天不发布"),
    ("How many quotes are needed for a purchase of 20,000 yuan?", "至少三家报价"),
    ("What is paid for overtime on public holidays?", "3 倍"),
    ("How many days of paternity leave are there?", "陪产假为 15 天"),
    ("Who approves travel abroad?", "由分管副总经理批准"),
)


def main() -> None:
    """Print the tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with embedded_platform() as platform:
        corpus = Corpus.open(platform)
        settle(corpus, manifest())
        reader = corpus.person("reader", "all-staff", "hr", "finance", clearance=Classification.RESTRICTED)
        _across(corpus, reader)
        _glossary(corpus, reader)
        _spelling(corpus, reader)
        _dates(corpus, reader)


def _across(corpus: Corpus, reader: Caller) -> None:
    places = [_place(_plain(corpus, reader, question), wanted) for question, wanted in ACROSS]
    _say("across languages, as they are", places)


def _glossary(corpus: Corpus, reader: Caller) -> None:
    before = [_place(_plain(corpus, reader, question), wanted) for question, wanted in EXPANDED]
    answered = [_answered(corpus, reader)]
    invented = [_invented(corpus, reader)]
    with corpus.platform.database.begin() as connection:
        for term, expansions in GLOSSARY.items():
            glossary.insert_entry(connection, space_id=None, term=term, expansions=expansions, created_by="x")
    after = [_place(search(corpus.platform, reader, SearchRequest(q, 8)), wanted) for q, wanted in EXPANDED]
    answered.append(_answered(corpus, reader))
    invented.append(_invented(corpus, reader))
    keywords = [_place(_keywords_only(corpus, reader, question), wanted) for question, wanted in EXPANDED]
    gate = corpus.platform.settings.answer
    without = [bool(too_weak(q, _plain(corpus, reader, q).ranked, gate)) for q in NOWHERE]
    expanded = [search(corpus.platform, reader, SearchRequest(q, 8)) for q in NOWHERE]
    within = [
        bool(too_weak(q, found.ranked, gate, found.understood.searched))
        for q, found in zip(NOWHERE, expanded, strict=True)
    ]
    _say("glossary: without", before)
    _say("glossary: keyword leg alone", keywords)
    _say("glossary: and embedded", after)
    print(f"    without an answer, answered: {invented[0]}/{len(NOWHERE)} without the glossary, {invented[1]} with it")
    print(f"    quoted in the answer: {answered[0]}/{len(EXPANDED)} without the glossary, {answered[1]} with it")
    print(
        f"    without an answer: the evidence gate refuses {sum(without)}/{len(NOWHERE)} without, {sum(within)} with it"
    )


def _answered(corpus: Corpus, reader: Caller) -> int:
    answers = [final(corpus, reader, question) for question, _ in EXPANDED]
    quotes = ["".join(citation.quote for citation in answer.citations) for answer in answers]
    return sum(wanted in quote for quote, (_, wanted) in zip(quotes, EXPANDED, strict=True))


def _invented(corpus: Corpus, reader: Caller) -> int:
    return sum(not final(corpus, reader, question).abstained for question in NOWHERE)


def _keywords_only(corpus: Corpus, reader: Caller, question: str) -> Found:
    request = SearchRequest(question, 8)
    applied = expansions(corpus.platform, reader, request)
    with patch("services.query.retrieve.phrased", lambda each: each.query):
        return _look(corpus.platform, reader, replace(request, expansions=applied))


def _spelling(corpus: Corpus, reader: Caller) -> None:
    found = [search(corpus.platform, reader, SearchRequest(question, 8)) for question, _ in MISSPELT]
    _say("misspelt: without", [_place(_plain(corpus, reader, question), wanted) for question, wanted in MISSPELT])
    _say("misspelt: corrected", [_place(each, wanted) for each, (_, wanted) in zip(found, MISSPELT, strict=True)])
    print(f"    words corrected: {[each.understood.respelled for each in found]}")
    changed = [search(corpus.platform, reader, SearchRequest(question, 8)).understood.respelled for question in RIGHT]
    print(f"    corrected in {len(RIGHT)} questions without mistakes: {changed}", flush=True)


def _dates(corpus: Corpus, reader: Caller) -> None:
    right, places = 0, []
    for question, moves, wanted in DATED:
        found = search(corpus.platform, reader, SearchRequest(question, 8))
        moved = found.understood.effective_at is not None
        right += moved is moves
        places.append(_place(found, wanted))
        if moved is not moves or not places[-1]:
            print(f"    {'WRONG' if moved is not moves else 'not found'} {question} {found.understood.effective_at}")
    print(f"time words: {right}/{len(DATED)} decided as wanted, ", end="")
    _say("found", places)


def _plain(corpus: Corpus, reader: Caller, question: str) -> Found:
    return _look(corpus.platform, reader, SearchRequest(question, 8))


def _place(found: Found, wanted: str) -> int:
    return next((at for at, item in enumerate(found.ranked, 1) if wanted in item.passage.text), 0)


def _say(name: str, places: list[int]) -> None:
    first, third = (sum(1 <= at <= most for at in places) for most in (1, 3))
    rank = sum(1 / at for at in places if at) / len(places)
    print(f"{name:45} first {first}/{len(places)}, among three {third}, MRR {rank:.3f}  {places}", flush=True)


if __name__ == "__main__":
    main()
