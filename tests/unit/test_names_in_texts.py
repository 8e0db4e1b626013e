"""Names are told by capitals and by the tagger."""

import pytest

from kbcore.language.names import names, unknown_names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ask the Compliance Office in Berlin.", {"compliance", "office", "berlin"}),
        ("Yes. Employees may leave. They ask.", set()),
        ("McKinsey and VPN begin it; IBM, too", {"mckinsey", "vpn", "ibm"}),
        ("张伟在北京大学学习", {"张伟", "北京大学"}),
        ("员工可以申请年假", set()),
        ("通过 Okta 登录", {"okta"}),
    ],
)
def test_names(text: str, found: set[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "source", "unknown"),
    [
        ("It is in Berlin.", "the BERLIN office", set()),
        ("It is in Germany.", "a German firm", set()),
        ("the English-speaking world", "English speaking", set()),
        ("It is in Austria.", "It is in Australia.", {"austria"}),
        ("他住在臺灣", "他住在台湾", set()),
        ("他住在北京", "他住在上海", {"北京"}),
    ],
)
def test_names_that_the_source_does_not_have(text: str, source: str, unknown: set[str]) -> None:
    assert unknown_names(text, source) == unknown
