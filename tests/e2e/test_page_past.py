"""The page, against the running product: asking in the past, and one's own conversations."""

import json
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browsing import ANSWER_MS, BROWSER_TESTS, a_tab, ask, sign_in, upload
from tests.e2e.product import Product

pytestmark = BROWSER_TESTS


def text(name: str, price: int) -> str:
    return f"会员卡\n\n{name}的年卡每人 {price} 元，在工会办公室办理。\n"


def test_a_snapshot_is_asked_and_the_citation_says_that_it_was_replaced(page: Page, product: Product) -> None:
    upload(product, "高尔夫球场", text("高尔夫球场", 3100))
    with product.client() as client:
        assert client.post("/v1/snapshots", json={"name": "高尔夫旧价"}).status_code == 201
    upload(product, "高尔夫球场", text("高尔夫球场", 3900))
    sign_in(page, product.credentials["employee"])
    page.get_by_label("时间").select_option("snapshot:高尔夫旧价")
    expect(page.locator("#as-of")).to_contain_text("快照“高尔夫旧价”")
    ask(page, "高尔夫球场的年卡多少钱？")
    then = page.locator(".turn").last
    expect(then.locator(".answer")).to_contain_text("3100")
    expect(then).to_contain_text("按过去的文档回答：快照 高尔夫旧价")
    expect(then.locator(".citation").first).to_contain_text("第 1 版 · 已被替换")

    page.get_by_role("button", name="回到现在").click()
    expect(page.locator("#as-of")).to_be_hidden()
    expect(page.get_by_label("时间")).to_be_focused()
    ask(page, "高尔夫球场的年卡多少钱？")
    now = page.locator(".turn").last
    expect(now.locator(".answer")).to_contain_text("3900")
    expect(now.locator(".citation").first).to_contain_text("第 2 版")
    expect(now).not_to_contain_text("已被替换")


def test_a_moment_is_sent_in_utc_and_an_empty_one_is_not_asked(browser: Browser, product: Product) -> None:
    done = json.dumps({"answer": "好", "citations": []})
    sent: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(content_type="text/event-stream", body=f"event: done\ndata: {done}\n\n")

    with a_tab(browser, product.url, timezone_id="Asia/Shanghai") as page:
        sign_in(page, product.credentials["employee"])
        page.route("**/v1/ask", answer)
        page.get_by_label("时间").select_option("moment")
        moment = page.get_by_label("按哪一刻的文档回答")
        expect(moment).to_be_focused()
        moment.fill("")
        page.get_by_label("问题", exact=True).fill("年假几天？")
        page.get_by_label("问题", exact=True).press("Enter")
        expect(page.locator(".turn")).to_have_count(0)
        moment.fill("2026-03-01T09:30")
        ask(page, "年假几天？")
        expect(page.locator(".turn")).to_contain_text("按过去的文档回答：2026年3月1日 09:30")
    assert [datetime.fromisoformat(body["as_of"]) for body in sent] == [datetime(2026, 3, 1, 1, 30, tzinfo=UTC)]


def test_an_answer_whose_source_has_changed_is_marked_and_can_be_asked_again(page: Page, product: Product) -> None:
    upload(product, "攀岩馆", text("攀岩馆", 880))
    sign_in(page, product.credentials["employee"])
    ask(page, "攀岩馆的年卡多少钱？")
    page.get_by_role("button", name="历史", exact=True).click()
    first = page.get_by_role("list", name="您的对话").get_by_role("listitem").first
    first.locator("summary").click()
    expect(first.locator(".answer")).to_contain_text("880")
    expect(first).not_to_contain_text("依据的文档已更新")

    upload(product, "攀岩馆", text("攀岩馆", 990))
    page.get_by_role("button", name="历史", exact=True).click()
    first.locator("summary").click()
    expect(first.locator(".stale")).to_contain_text("依据的文档已更新")
    first.get_by_role("button", name="再问一次").click()
    expect(page.locator("#turns .answer")).to_contain_text("990", timeout=ANSWER_MS)


def test_a_conversation_can_be_deleted(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["finance"])
    ask(page, "会议室最长可以提前多少天预订？")
    page.get_by_role("button", name="历史", exact=True).click()
    conversations = page.locator("#conversations > li:has(summary)")
    expect(conversations.first).to_contain_text("会议室最长可以提前多少天预订？")
    before = conversations.count()
    conversations.first.locator("summary").click()
    conversations.first.get_by_role("button", name="删除这个对话").click()
    page.get_by_role("dialog").get_by_role("button", name="删除", exact=True).click()
    expect(conversations).to_have_count(before - 1)
