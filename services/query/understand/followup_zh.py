"""Chinese follow-ups: what makes one, and the question that was meant."""

import re

from kbcore.language.analyzer import words
from kbcore.language.identifiers import identifiers
from services.query.understand.meant import Meant
from services.query.understand.time_words import time_spans

_LONGEST = 24
_END = "？?。！! "
_OPENING = re.compile(r"^(?:那么|那|还有|另外|如果是|如果|换成|换作|对于|至于|要是)[，,、\s]*")
_TOPIC = re.compile(r"^(?P<topic>.{1,16}?)(?:的话)?呢$")
_ASKING = "什么|怎么|怎样|如何|多少|多久|多长|多大|几|谁|哪|为何|为什么|吗|是否|能否|可否|可不可以|能不能|要不要|有没有"
_INTERROGATIVE = re.compile(_ASKING)
_POINTING = re.compile(
    r"^(?:其中|上述|前述|该|此项|这项|这条|这些|那些|这种|那种|[这那]个(?!季度|月|星期|周|年|礼拜))|[它他她](?:们)?"
)
# Verbs and frames that go with any subject: a question of nothing else has its subject in the question before.
_GENERIC = re.compile(
    rf"{_ASKING}|时候|时间|之内|以内|以前|之前|之后|提前|最多|最少|至少|一般|需要|必须|应该|可以|要|能|会|有|没|算|得|"
    "申请|审批|批准|审核|办理|提交|负责|超出|超过|部分|规定|要求|例外|期限|限制|材料|条件|手续|流程|原因|"
    "怎么办|天|次|钱|人|元|年|月|个|的|了|呢|是|在|由|到|去|用|我|我们|还|也|都|就|把|和|办|做|走|换|工资|费用"
)
_FRAME = re.compile(
    r"(?:请问|是|有|需要|要|可以|能|应该|该)*(?:什么时候|什么|多少钱|多少天|多少|多久|多长时间|多长|怎么算|怎么办|怎么|如何|几天|几个)"
    r"|[吗呢]$|可以|是不是|是否|需要"
)


def standalone(question: str, before: str) -> Meant | None:
    """The question that was meant, if this one follows `before` (which stands alone); None if it needs nothing."""
    asked = question.strip().rstrip(_END)
    bare = _OPENING.sub("", asked)
    if not bare or len(asked) > _LONGEST:
        return None
    topic = _TOPIC.match(bare)
    if topic and not _INTERROGATIVE.search(topic["topic"]):
        named = _about(topic["topic"].removesuffix("的"), before)
        return Meant(named, named)
    if _POINTING.search(bare):
        return Meant(_joined(_POINTING.sub("", bare, count=1), before), before)
    if len(re.sub(r"[\W_]", "", _GENERIC.sub("", bare))) < 2:
        return Meant(_joined(bare, before), before)
    return None


def _about(topic: str, before: str) -> str:
    """The question before, with what the follow-up names in the place of what it is like; else after it."""
    for like in (_time, _identifier, _namesake):
        if replaced := like(topic, before):
            return replaced
    return _joined(topic, before)


def _time(topic: str, before: str) -> str | None:
    spans = time_spans(topic)
    if not spans or spans[0] != (0, len(topic)):
        return None
    if earlier := time_spans(before):
        start, end = earlier[0]
        return f"{before[:start]}{topic}{before[end:]}"
    return f"{topic}{before}"


def _identifier(topic: str, before: str) -> str | None:
    if not identifiers(topic):
        return None
    for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._/-]*", before):
        if identifiers(word):
            return before.replace(word, topic.strip(), 1)
    return None


def _namesake(topic: str, before: str) -> str | None:
    """病假 takes the place of 年假: words that end alike are kinds of one thing."""
    alike = [word for word in words(before) if len(word) >= 2 and word[-1] == topic[-1] and word != topic]
    alike = [word for word in alike if not _INTERROGATIVE.search(word)]
    if len(topic) == 2 and not alike and (pair := re.search(f"[一-鿿]{topic[-1]}", before)):
        alike = [pair[0]]  # 年假 is in no dictionary
    return before.replace(alike[0], topic, 1) if len(topic) >= 2 and alike else None


def _joined(rest: str, before: str) -> str:
    """The follow-up, and in brackets what it is about: its own words come first, for they are what is new."""
    return f"{rest}（{_subject(before)}）"


def _subject(before: str) -> str:
    """What the question before was about: without the words that only ask."""
    bare = _FRAME.sub("", before.rstrip(_END)).strip() or before
    return " ".join(re.sub("[（）]", " ", bare).split())
