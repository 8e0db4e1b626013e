"""Whether a question asks what something costs or weighs, and whether a text states an amount of that kind.

The only kinds of answers that can be told by their looks: nearly every text of an office has a person, a place, a time
and a number in it (decision 0033).
"""

import re
from collections.abc import Iterable

_COST = re.compile(
    r"多少钱|几块钱|多少元|(?:价格|售价|单价|定价|年费|月费|费用|工资|奖金|补贴|补助|津贴|罚款)(?:标准)?[是为有]?多少"
    r"|\bhow much\b.*\b(?:costs?|prices?|fees?|money|salary)\b|\bwhat (?:does|do|did)\b.*\bcost\b"
    r"|\bwhat (?:is|are|was|were) the (?:\w+ ){0,2}(?:costs?|prices?|fees?)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"(?<!单)[元块](?!旦|素|月)|人民币|免费|[$¥￥€£%％]|倍"
    r"|\b(?:yuan|rmb|cny|usd|eur|dollars?|euros?|pounds?|cents?|percent|free|million|billion)\b",
    re.IGNORECASE,
)
_HEAVY = re.compile(r"多重|重量[是为]?多少|\bhow heavy\b|\bhow much\b.*\bweigh\b", re.IGNORECASE)
_WEIGHT = re.compile(
    r"公斤|千克|克|吨|斤|\b(?:kilograms?|grams?|tons?|tonnes?|pounds?|lbs?)\b|\d\s?k?g\b", re.IGNORECASE
)


def lacks_amount(question: str, texts: Iterable[str]) -> bool:
    """True where the question asks for an amount of money or a weight, and none of `texts` states one."""
    for asks, states in ((_COST, _MONEY), (_HEAVY, _WEIGHT)):
        if asks.search(question):
            return not any(states.search(text) for text in texts)
    return False
