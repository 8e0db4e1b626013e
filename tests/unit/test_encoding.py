import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.load.encoding import decode
from kbcore.errors import ItemFailed

SIMPLIFIED = "员工每年享有五天带薪年假，未休完的年假可以结转到下一年度。具体办法由人力资源部制定。"
TRADITIONAL = "員工每年享有五天帶薪年假，未休完的年假可以結轉到下一年度。具體辦法由人力資源部制定。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "utf-8-sig"),
        (SIMPLIFIED, "gbk"),
        (SIMPLIFIED, "gb18030"),
        (SIMPLIFIED, "utf-16"),
        (f"Leave: {SIMPLIFIED}\nDays: 5\n" * 3, "utf-16-le"),
        (f"Leave: {SIMPLIFIED}\nDays: 5\n" * 3, "utf-16-be"),
        (SIMPLIFIED, "utf-32"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "gbk"),
        ("𠮷野家和䶮字的员工每年享有年假", "gb18030"),
        ("社員は毎年五日間の年次有給休暇を取ることができる。", "shift_jis"),
        ("社員は毎年五日間の年次有給休暇を取ることができる。", "euc_jp"),
        ("직원은 매년 닷새의 연차 휴가를 사용할 수 있습니다.", "euc_kr"),
        (
            "Les salariés bénéficient de congés payés à reporter l'année suivante, à côté des congés déjà épuisés.",
            "cp1252",
        ),
        ("plain ascii", "ascii"),
    ],
)
def test_the_encoding_is_found(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_short_rows_of_a_gbk_table() -> None:
    assert decode("姓名,部门\n张三,财务部\n李四,人事部\n".encode("gbk")) == "姓名,部门\n张三,财务部\n李四,人事部\n"


def test_a_declared_encoding_is_believed_when_it_works() -> None:
    assert decode("价格·说明".encode("gb18030"), "gb2312") == "价格·说明"
    assert decode(SIMPLIFIED.encode("gbk"), "no-such-encoding") == SIMPLIFIED
    assert decode(SIMPLIFIED.encode(), "big5") == SIMPLIFIED


def test_a_character_cut_by_the_end_of_the_sample_does_not_matter() -> None:
    assert decode(("a" + SIMPLIFIED * 2000).encode("gbk")) == "a" + SIMPLIFIED * 2000


@pytest.mark.parametrize("text", ["hello\0world, a text of an even length", f"年假\0{SIMPLIFIED}"])
def test_a_stray_nul_does_not_make_it_utf16(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize("data", [bytes(range(256)) * 8, b"\x00\x01\x02\x03" * 100, b"MZ\x90\x00\x03\x00\x00\x00" * 50])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ItemFailed) as refused:
        decode(data)
    assert refused.value.code == "encoding_unknown"


@given(st.binary(max_size=300))
def test_any_bytes_become_text_or_a_reason(data: bytes) -> None:
    code = "none"
    try:
        decode(data).encode("utf-8", "surrogatepass")
    except ItemFailed as refused:
        code = refused.code
    assert code in ("none", "encoding_unknown")


@given(
    st.text(min_size=1, max_size=100).filter(
        lambda text: not any(c in text for c in "\0\x1b\ufeff") and "~{" not in text
    )
)
def test_utf8_is_never_taken_for_anything_else(text: str) -> None:
    try:
        assert decode(text.encode("utf-8", "surrogatepass").decode("utf-8", "ignore").encode()) == text
    except ItemFailed:
        assert any(ord(c) < 32 or ord(c) >= 0xE000 or not c.isprintable() for c in text)
