"""What a question is about: its words without those that only ask, and how many of them no text has at all.

A search brings the passages that share most with a question. A word of it that stands in none of them is what nobody
wrote about: the price of a thing whose weight and warranty are told.
"""

import re
from collections.abc import Iterable

from kbcore.language.analyzer import normalised, tagged
from kbcore.language.plain import plain
from kbcore.language.stems import stem

_ASKING_ZH = re.compile(
    "请问|是(?=多少|多[久大长高深重]|什么|谁|哪|几|否|不是|怎|如何|为)|为什么|为何|多少钱|多少|多[久长大高深重宽远快](?:时间)?"
    "|什么时候|什么时间|什么|有哪些|哪[些个里儿年天位种]|怎么办|怎么样|怎么|怎样|如何|是否|能否|可否|可不可以|能不能|要不要"
    "|有没有|是不是|几[点天次个步年月号名种位家]|可以|需要|应该|必须|名字|名称|叫做|位置|地方|情况|类型|东西|一般|还有|作为"
    "|最多|最少|至少|一共|总共|分别|以后|之后|以前|之前|之内|以内|期间|去年|今年|明年|现在|目前|当前|如果|的话|我们|我"
)
_EMPTY_TAGS = frozenset("ucpydrmxqfo")
"""First letters of jieba's tags for particles, conjunctions, prepositions, pronouns, numbers and classifiers."""
_ENGLISH = """
a about above according after all also always am an and any anybody anyone are as at be became because become been
before began begin being below between both but by call called came can come comes could dear define defined did
differ difference different do does doing done during each either end ever every exactly far fast find for found from
get give given go had happen happened happens has have he her here him his how i if in into is it its just kind know
known last like located location long made make many may me mean meaning means meant mention mentioned might more most
much must my name named need new next no nor not now number of off often old on one only or other our out over per
please possible purpose quickly said same say shall she should since so some soon stand start started still such take
tell term than that the their them then there these they thing things this those through time to today too type under
until up us use used uses using very want was we were what when where which while who whom whose why will with within
without word words would year years yes yet you your
"""
_ASKING_EN = frozenset(_ENGLISH.split())
_LATIN = re.compile(r"[a-z]{2,}")
_HAN = re.compile(r"[\u3400-\u9fff]{2,}")
_ALIKE = 5
"""Letters: English words that begin alike are one (`renew`, `renewal`), whatever their stems."""


def subject(question: str) -> tuple[str, ...]:
    """The words that a question is about, each once: Chinese words of two or more characters and English stems."""
    chinese = (
        word
        for word, tag in tagged(_ASKING_ZH.sub(" ", normalised(question)))
        if _HAN.fullmatch(word) and tag[0] not in _EMPTY_TAGS
    )
    english = (stem(word) for word in _LATIN.findall(plain(question)) if word not in _ASKING_EN)
    return tuple(dict.fromkeys((*chinese, *english)))


def unheld(question: str, texts: Iterable[str]) -> float:
    """The share of what `question` is about that stands in none of `texts`, 0-1; 0 for a question about nothing.

    Of a longer Chinese word each pair of characters counts by itself: 停车场 is half in 停车.
    """
    about = subject(question)
    if not about:
        return 0.0
    told = plain("\n".join(texts))
    begun = {stem(word)[:_ALIKE] for word in _LATIN.findall(told)}
    return sum(_missing(word, told, begun) for word in about) / len(about)


def _missing(word: str, told: str, begun: set[str]) -> float:
    if word.isascii():
        return float(word[:_ALIKE] not in begun)
    pairs = [word[at : at + 2] for at in range(len(word) - 1)]
    return sum(pair not in told for pair in pairs) / len(pairs)
