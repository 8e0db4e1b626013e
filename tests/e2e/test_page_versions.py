"""The page, against the running product: a document's history, and what may be done with its versions."""

import re
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browsing import ANSWER_MS, BROWSER_TESTS, a_tab, open_document, sign_in, upload
from tests.e2e.product import Product

pytestmark = BROWSER_TESTS

TEXT = "健身卡\n\n{name}的年卡每人 {price} 元，在工会办公室办理。\n\n办理时请带工牌，卡片当天可以领取。\n"


def two_versions(product: Product, name: str) -> str:
    """A document whose second version has another price and a comment; its id."""
    upload(product, name, TEXT.format(name=name, price=1200))
    return upload(product, name, TEXT.format(name=name, price=1580), comment="按新合同调整")


def version(page: Page, number: int) -> Locator:
    return page.get_by_role("list", name="版本").get_by_role("listitem", name=f"第 {number} 版")


def versions_of(product: Product, document_id: str) -> list[dict[str, Any]]:
    with product.client() as client:
        items: list[dict[str, Any]] = client.get(f"/v1/documents/{document_id}/versions").json()["items"]
    return items


def test_history_says_what_when_why_and_which_version_readers_see(page: Page, product: Product) -> None:
    two_versions(product, "东区健身房")
    sign_in(page, product.admin_key)
    open_document(page, "东区健身房")
    cards = page.get_by_role("list", name="版本").get_by_role("listitem")
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text("第 2 版")  # newest first
    expect(cards.nth(0)).to_contain_text("读者现在看到的")
    expect(cards.nth(0)).to_contain_text("按新合同调整")
    expect(cards.nth(0)).to_contain_text("上传")
    expect(cards.nth(1)).to_contain_text("第 1 版")
    expect(cards.nth(1)).not_to_contain_text("读者现在看到的")

    page.get_by_role("button", name="返回文档列表").click()
    expect(page.get_by_role("button", name="东区健身房", exact=True)).to_be_focused()


def test_an_old_version_can_be_read_and_downloaded(page: Page, product: Product) -> None:
    two_versions(product, "西区健身房")
    sign_in(page, product.admin_key)
    open_document(page, "西区健身房")
    text_button = version(page, 1).get_by_role("button", name="查看文字")
    text_button.press("Enter")
    dialog = page.get_by_role("dialog", name="西区健身房 · 第 1 版")
    expect(dialog).to_contain_text("1200 元")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(text_button).to_be_focused()
    with page.expect_download() as download:
        version(page, 1).get_by_role("button", name="下载原件").click()
    assert "1200 元" in download.value.path().read_text()


def test_two_versions_are_compared_passage_by_passage(page: Page, product: Product) -> None:
    two_versions(product, "南区健身房")
    sign_in(page, product.admin_key)
    open_document(page, "南区健身房")
    version(page, 2).get_by_role("button", name="比较").click()
    dialog = page.get_by_role("dialog", name="比较 · 南区健身房")
    changed = dialog.locator(".change").filter(has_text="修改")
    expect(changed).to_have_count(1)
    expect(changed.locator("del")).to_have_text("1200")
    expect(changed.locator("ins")).to_have_text("1580")
    dialog.get_by_label("到").select_option("1")
    expect(dialog).to_contain_text("两个版本的文字相同。")


def test_rolling_back_asks_for_a_reason_and_makes_a_new_version(page: Page, product: Product) -> None:
    document_id = two_versions(product, "北区健身房")
    sign_in(page, product.admin_key)
    open_document(page, "北区健身房")
    version(page, 1).get_by_role("button", name="回退到此版").click()
    dialog = page.get_by_role("dialog", name="回退到第 1 版")
    expect(dialog.get_by_label("原因")).to_be_focused()
    dialog.get_by_role("button", name="回退到此版").click()
    expect(dialog).to_be_visible()  # not without a reason
    dialog.get_by_label("原因").fill("新合同没有签成")
    dialog.get_by_role("button", name="回退到此版").click()
    expect(dialog).to_have_count(0)

    expect(version(page, 3)).to_contain_text("读者现在看到的", timeout=ANSWER_MS)
    expect(version(page, 3)).to_contain_text("回退到第 1 版")
    expect(version(page, 3)).to_contain_text("新合同没有签成")
    expect(version(page, 2)).not_to_contain_text("读者现在看到的")
    newest = versions_of(product, document_id)[0]
    assert (newest["origin"], newest["based_on"], newest["comment"]) == ("rollback", 1, "新合同没有签成")


def test_the_text_can_be_corrected_and_unsaved_changes_are_not_lost(page: Page, product: Product) -> None:
    document_id = two_versions(product, "中区健身房")
    sign_in(page, product.admin_key)
    open_document(page, "中区健身房")
    page.get_by_role("button", name="修改文字").click()
    dialog = page.get_by_role("dialog", name="修改第 2 版的文字")
    area = dialog.get_by_label("入库的文字")
    expect(area).to_have_value(re.compile("1580 元"))
    area.fill(area.input_value().replace("1580", "1680"))
    dialog.get_by_role("button", name="取消").click()
    page.get_by_role("dialog", name="放弃修改").get_by_role("button", name="取消").click()
    expect(area).to_have_value(re.compile("1680 元"))
    dialog.get_by_label("备注").fill("合同附件更正")
    dialog.get_by_role("button", name="保存").click()

    expect(version(page, 3)).to_contain_text("读者现在看到的", timeout=ANSWER_MS)
    expect(version(page, 3)).to_contain_text("修改了第 2 版的文字")
    expect(version(page, 3)).to_contain_text("合同附件更正")
    with product.client() as client:
        assert "1680 元" in client.get(f"/v1/documents/{document_id}/versions/3").json()["text"]


def test_a_reader_who_tries_to_roll_back_is_told_why_not(page: Page, product: Product) -> None:
    document_id = two_versions(product, "老区健身房")
    sign_in(page, product.credentials["employee"])
    open_document(page, "老区健身房")
    version(page, 1).get_by_role("button", name="回退到此版").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("原因").fill("试试")
    dialog.get_by_role("button", name="回退到此版").click()
    expect(dialog.get_by_role("alert")).to_have_text("您没有这样做的权限。")
    assert len(versions_of(product, document_id)) == 2


def test_an_upload_can_say_why_and_when_it_is_in_force(page: Page, product: Product) -> None:
    sign_in(page, product.admin_key)
    page.get_by_role("button", name="文档", exact=True).click()
    page.locator("#documents-space").select_option("public")
    page.get_by_text("备注和生效日期（可不填）").click()
    page.get_by_label("备注").fill("年度修订")
    page.get_by_label("生效日期").fill("2020-01-01")
    file = {"name": "泳池.txt", "mimeType": "text/plain", "buffer": "泳池每周三开放，凭工牌入场。".encode()}
    page.locator("#files").set_input_files([file])
    expect(page.get_by_role("list", name="上传").get_by_role("listitem")).to_contain_text("已入库", timeout=ANSWER_MS)
    expect(page.get_by_label("备注")).to_have_value("")  # the next file is not told the same
    page.get_by_role("button", name="泳池", exact=True).click()
    expect(version(page, 1)).to_contain_text("年度修订")
    expect(version(page, 1)).to_contain_text("自 2020年1月1日 起有效")


def test_history_fits_a_phone_with_the_compared_versions_below_each_other(browser: Browser, product: Product) -> None:
    two_versions(product, "新区健身房")
    with a_tab(browser, product.url, viewport={"width": 390, "height": 844}) as page:
        sign_in(page, product.admin_key)
        open_document(page, "新区健身房")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        version(page, 2).get_by_role("button", name="比较").click()
        sides = page.locator(".change .side")
        expect(sides).to_have_count(2)
        before, after = sides.all()
        first, second = before.bounding_box(), after.bounding_box()
        assert first is not None
        assert second is not None
        assert second["y"] >= first["y"] + first["height"]
        assert first["x"] + first["width"] <= 390
