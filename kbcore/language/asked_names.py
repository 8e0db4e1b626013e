"""The names in a question that are surely names, and which of them no text has: Beijing does not answer for Tokyo.

English: words that begin with a capital inside a sentence. Chinese: what jieba's dictionary calls a place or a foreign
name; people, products and companies have no mark there that could be relied on. Codes are `identifiers`. Stricter than
`kbcore.language.names`: a word that is wrongly a name here costs a whole answer, there one statement.
"""

import re
from collections.abc import Iterable

from kbcore.language.analyzer import normalised, tagged
from kbcore.language.plain import plain
from kbcore.language.script import detect_language

_CAPITALISED = re.compile(r"(?<!\w)[A-Z][a-z]{3,}(?:[ -][A-Z][a-z]{3,})*(?![\w-])")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_BEGINS = re.compile(r"(?:^|[.?!:;/(\"'“‘‚|\n-])\s*$")
_ENGLISH_NO_NAMES = """
january february march april june july august september october november december monday tuesday wednesday thursday
friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays china chinese english internet
company office department policy handbook please what when where which whom whose does
"""
_PLACES_AND_PEOPLE = frozenset(("ns", "nrt"))
_CHINESE_NO_NAMES = """
中国 外国 国外 王国 朝廷 城市 城镇 都市 大城市 山城 古城 新城 内城 都城 海洋 海滩 海湾 海滨 海关 内海 浅海 深水 平原
山区 山坡 山脉 河谷 河畔 河水 河川 江河 江湖 江山 湖泊 高原 高山 沿海地区 内陆地区 长城 大坝 大街 大桥 入口 塔楼 东西
南北 东南 东北 西南 西北 南区 东区 西区 南路 北站 南站 西站 巴士 英里 太阳 台风 象牙 长度 深度 关联 中断 加密 契约
上市 上京 长大 长寿 长约 美丽 新鲜 神圣 普及 福利 建国 立国 朝贡 故国 诸国 两国 三国 共和国 邦国 邦联 加盟 土地利用
非营利 百万富翁 英雄 哥哥 之日起 古典 海斯 本山 盟国 波及 籍贯 半球 北半球 二人 令人 令牌 哈希 勒索 海洛因 摩登 勾勒
崇拜 崇尚 登基 称王 在世 豪杰 天王 大王 某年某月 贝塔 夸脱 克拉 瓦特
"""
"""Common words that the dictionary takes for places or people, and the country that goes without saying."""
_NO_NAMES = frozenset((_ENGLISH_NO_NAMES + _CHINESE_NO_NAMES).split())
_ALIKE = 4
"""Letters: English names that begin alike are one (`Brazil`, `Brazilian`)."""
_ALIKE_ZH = 2
"""Characters of a Chinese name that are enough: 北京市 is 北京."""


def missing_names(question: str, texts: Iterable[str]) -> frozenset[str]:
    """The names in `question` of which no word stands in any of `texts`, in lower case and simplified characters."""
    asked = asked_names(question)
    if not asked:
        return frozenset()
    told = plain("\n".join(texts))
    begun = {word[:_ALIKE] for word in _LATIN.findall(told)}
    return frozenset(name for name in asked if not _held(name, told, begun))


def asked_names(question: str) -> frozenset[str]:
    """The names in a question, in lower case and simplified characters; words side by side are one name.

    Those in its own language: Farm Cloud is 农场云 in the passages that a Chinese question about it is answered from.
    """
    if detect_language(question) == "en":
        return _latin(question)
    return frozenset(
        word
        for word, tag in tagged(normalised(question))
        if tag in _PLACES_AND_PEOPLE and len(word) > 1 and word not in _NO_NAMES
    )


def _latin(question: str) -> frozenset[str]:
    """Names in Latin letters; none where Most Words Have a Capital."""
    text = plain(question, keep_case=True)
    inside = [match[0] for match in _LATIN.finditer(text) if not _BEGINS.search(text[: match.start()])]
    if 2 * sum(word[0].isupper() for word in inside) > len(inside) + 1:
        return frozenset()
    found = (match for match in _CAPITALISED.finditer(text) if not _BEGINS.search(text[: match.start()]))
    written = (" ".join(_LATIN.findall(match[0].lower())) for match in found)
    return frozenset(name for name in written if _NO_NAMES.isdisjoint(name.split()))


def _held(name: str, told: str, begun: set[str]) -> bool:
    if name.isascii():
        return any(word[:_ALIKE] in begun for word in name.split())
    return name[:_ALIKE_ZH] in told
