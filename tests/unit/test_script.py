import pytest

from kbcore.language.script import detect_language, han_share


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("年假可以结转吗", "zh"),
        ("繁體中文文件", "zh"),
        ("用 Kubernetes 部署 TiDB Operator", "zh"),
        ("Annual leave carries over.", "en"),
        ("The contact is 张三 in the Shanghai office, who answers all questions about this policy.", "en"),
        ("ひらがなとカタカナ", "zh"),
        ("12345 !!", "en"),
        ("", "en"),
    ],
)
def test_language_is_the_nearer_script(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_share_counts_each_han_character_as_a_word() -> None:
    assert han_share("用 Kubernetes 部署") == pytest.approx(3 / 4)
