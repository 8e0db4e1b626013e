"""Words that decide what a rule says: `must` or `may`, `before` or `after`, `以上` or `以下`; and what counts time.

Closed lists, in both languages. Of two texts that are to say the same, one can't have a word of one side and the other
one of the opposite side.
"""

import re

_PAIRS = (
    (r"须|必须|应当?(?!用)|务必|\b(?:must|shall|has to|have to|required|mandatory|obliged)\b",
     r"可以|可(?=[由在向用选按])|允许|自愿|\b(?:may|optional(?:ly)?|voluntary)\b"),
    (r"之前|以前|开始前|出发前|事先|提前|\b(?:before|prior to|in advance|ahead of)\b",
     r"之后|以后|结束后|出发后|事后|\b(?:after|afterwards|following)\b"),
    (r"以上|至少|最少|最低|不[得能可应]?(?:低于|少于)|(?<!不)(?<!不[得能可应])(?:超过|高于|多于)"
     r"|\b(?:at least|above|more than|minimum|exceed\w*|no(?:t)? less than)\b",
     r"以下|以内|至多|最多|最高|不[得能可应]?(?:超过|高于|多于)|(?<!不)(?<!不[得能可应])(?:低于|少于)"
     r"|\b(?:at most|below|under|less than|maximum|up to|no(?:t)? more than|not exceed)\b"),
    (r"增加|提高|上升|上涨|增长|上调|\b(?:increas\w+|rais\w+|ris(?:e|es|en|ing)|rose|grow\w*|grew)\b",
     r"减少|降低|下降|下跌|下调|缩短"
     r"|\b(?:decreas\w+|reduc\w+|lower(?:ed|s)?|fall(?:s|en|ing)?|fell|declin\w+|shr[iau]nk\w*)\b"),
    (r"(?<!不)(?:包括|包含|含|计入)|\binclud\w+\b", r"不包括|不包含|不含|不计入|除外|除了|\b(?:exclud\w+|except\w*)\b"),
    (r"允许|准许|可以|\b(?:allow\w*|permit\w*)\b",
     r"禁止|不得|严禁|不准|不允许|\b(?:forbid\w*|forbade|prohibit\w*|bann?\w*)\b"),
    (r"税前|\b(?:gross|before tax)\b", r"税后|\b(?:net|after tax)\b"),
    (r"开始|启动|开启|\b(?:start\w*|begin\w*|began|open\w*)\b",
     r"停止|结束|关闭|终止|\b(?:stop\w*|end(?:s|ed|ing)?|clos\w+)\b"),
)  # fmt: skip
_COMPILED = [tuple(re.compile(side, re.IGNORECASE) for side in pair) for pair in _PAIRS]
_SPANS = {
    "second": r"秒|\bseconds?\b",
    "minute": r"分钟|\bminutes?\b",
    "hour": r"小时|\bhours?\b",
    "workday": r"工作日|\b(?:working|business) days?\b",
    "day": r"自然日|天|(?<!working )(?<!business )\bdays?\b",
    "week": r"周(?!年)|星期|\bweeks?\b",
    "month": r"个月|\bmonths?\b",
    "quarter": r"季度|\bquarters?\b",
    "year": r"年|\byears?\b",
}
_TIME = {span: re.compile(pattern, re.IGNORECASE) for span, pattern in _SPANS.items()}


def opposed(one: str, other: str) -> bool:
    """Whether two texts take different sides of a pair: each has words of its side and none of the other."""
    return any(_side(one, pair) * _side(other, pair) < 0 for pair in _COMPILED)


def other_time(one: str, other: str) -> bool:
    """Whether both texts name spans of time, and none in common: `days` here, `hours` there."""
    ours, theirs = _spans(one), _spans(other)
    return bool(ours and theirs) and ours.isdisjoint(theirs)


def _side(text: str, pair: tuple[re.Pattern[str], ...]) -> int:
    return bool(pair[0].search(text)) - bool(pair[1].search(text))


def _spans(text: str) -> set[str]:
    return {span for span, pattern in _TIME.items() if pattern.search(text)}
