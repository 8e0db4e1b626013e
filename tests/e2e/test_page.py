"""The page in a real browser, against the running product."""

import json
import re
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import ANSWER_MS, BROWSER_TESTS, ask, sign_in
from tests.e2e.product import Product

pytestmark = BROWSER_TESTS


def test_a_wrong_key_is_refused_in_plain_words_and_not_kept(page: Page) -> None:
    page.get_by_label("API 密钥").fill("zk_wrong")
    page.get_by_role("button", name="进入").click()
    expect(page.get_by_role("alert").first).to_have_text("密钥不正确，或者已经失效。请检查后重新输入。")
    assert page.evaluate("sessionStorage.length") == 0
    assert page.evaluate("document.cookie") == ""


def test_an_answer_streams_in_and_its_marker_opens_the_quote_in_its_document(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    ask(page, "出差住酒店，一线城市每晚最多报销多少钱？")
    turn = page.locator(".turn").last
    expect(turn.locator(".answer")).to_contain_text("650")

    marker = turn.locator(".answer button.marker").first
    marker.focus()
    page.keyboard.press("Enter")
    source = page.get_by_role("complementary")
    expect(source.get_by_role("heading")).to_have_text("差旅报销制度")
    expect(source).to_contain_text("第 2 版")
    expect(source).to_contain_text("第二章 住宿标准")
    expect(source.locator("mark")).to_contain_text("650 元")
    expect(source.locator("blockquote")).to_contain_text("第六条")  # the text around the quote

    page.keyboard.press("Escape")
    expect(source).to_be_hidden()
    expect(marker).to_be_focused()


def test_the_original_file_can_be_downloaded(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    ask(page, "会议室最长可以提前多少天预订？")
    page.locator(".citation").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载原件").click()
    assert download.value.suggested_filename == "visitors-meeting-rooms.txt"


def test_a_long_conversation_is_scrolled_to_what_was_answered_last(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    for _ in range(3):
        ask(page, "出差住酒店，一线城市每晚最多报销多少钱？")
    ask(page, "What is the visa procedure for employees who move to the Brazil office?")
    expect(page.locator(".turn").last.locator(".hint")).to_be_in_viewport()


def test_a_weak_model_and_a_broken_off_answer_are_said_to_be_that(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    with product.client() as client:
        done = client.post("/v1/ask", json={"question": "出差住酒店，一线城市每晚最多报销多少钱？"}).json()
    done |= {"model": "local-qwen", "experimental": True, "reason": "model_interrupted"}
    body = f"event: done\ndata: {json.dumps(done)}\n\n"
    page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    ask(page, "出差住酒店，一线城市每晚最多报销多少钱？")
    turn = page.locator(".turn").last
    expect(turn).to_contain_text("实验性模型（local-qwen）参与了这个回答")
    expect(turn).to_contain_text("模型中途停止")


def test_not_knowing_is_shown_as_such_with_what_was_searched(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    ask(page, "What is the visa procedure for employees who move to the Brazil office?")
    turn = page.locator(".turn").last
    expect(turn).to_have_class(re.compile("unknown"))
    expect(turn).to_contain_text("文档里没有答案")
    expect(turn).to_contain_text("公司制度 · Company policies")
    expect(turn.locator(".citation")).to_have_count(0)


def test_a_space_narrows_the_question_and_is_offered_only_to_its_readers(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["hr"])
    assert page.locator("#ask-space option").all_inner_texts() == [
        "全部空间",
        "公司制度 · Company policies",
        "研发 · Engineering",
        "人力资源 · Human Resources",
    ]
    page.get_by_label("范围").select_option("hr")
    ask(page, "P6 职级的月度基本工资范围是多少？")
    expect(page.locator(".turn").last.locator(".citation strong").first).to_have_text("2026 年职级与薪酬范围")


def test_a_conversation_goes_on_and_a_new_one_can_begin(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    ask(page, "年假最多可以结转几天？")
    with page.expect_request(lambda request: request.url.endswith("/v1/ask")) as second:
        ask(page, "那病假呢？")
    assert re.fullmatch(r"[0-9a-f-]{36}", second.value.post_data_json["conversation_id"])
    page.get_by_role("button", name="新对话").click()
    expect(page.locator(".turn")).to_have_count(0)
    with page.expect_request(lambda request: request.url.endswith("/v1/ask")) as first:
        ask(page, "年假最多可以结转几天？")
    assert "conversation_id" not in first.value.post_data_json


def test_the_language_can_be_changed_and_is_remembered(page: Page, product: Product) -> None:
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Ask your company's documents")).to_be_visible()
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_key_lasts_for_the_tab_and_signing_out_forgets_it(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["finance"])
    page.reload()
    expect(page.locator("#me")).to_contain_text("Chen Li")
    page.get_by_role("button", name="退出").click()
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.get_by_label("API 密钥")).to_be_visible()


def test_readers_see_documents_but_no_place_to_upload(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    page.get_by_role("button", name="文档").click()
    expect(page.get_by_role("row", name=re.compile("差旅报销制度"))).to_contain_text("可用")
    page.locator("#documents-space").select_option("public")
    expect(page.locator("#drop")).to_be_hidden()
    expect(page.get_by_role("row", name=re.compile("薪酬范围"))).to_have_count(0)


def test_an_upload_shows_how_it_ended_and_why_it_failed(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["admin"])
    page.get_by_role("button", name="文档").click()
    page.locator("#documents-space").select_option("public")
    good = {"name": "停车月卡.txt", "mimeType": "text/plain", "buffer": "停车月卡每月 180 元，在行政部办理。".encode()}
    broken = {"name": "坏掉的.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\nnothing follows"}
    page.locator("#files").set_input_files([good, broken])
    uploads = page.get_by_role("list", name="上传")
    expect(uploads.get_by_role("listitem").filter(has_text="停车月卡")).to_contain_text("已入库", timeout=ANSWER_MS)
    expect(uploads.get_by_role("listitem").filter(has_text="坏掉的")).to_contain_text("失败", timeout=ANSWER_MS)
    expect(uploads.get_by_role("listitem").filter(has_text="坏掉的")).to_contain_text("文件已损坏")
    expect(page.get_by_role("row", name=re.compile("停车月卡"))).to_contain_text("可用")


def test_the_same_file_again_ends_as_it_did_before(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["admin"])
    page.get_by_role("button", name="文档").click()
    page.locator("#documents-space").select_option("public")
    good = {"name": "班车.txt", "mimeType": "text/plain", "buffer": "班车每天 18:10 从北门发车。".encode()}
    broken = {"name": "残缺.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\nnothing at all"}
    newest = page.get_by_role("list", name="上传").get_by_role("listitem").first
    for file, first, again in ((good, "已入库", "内容未变"), (broken, "失败", "失败")):
        page.locator("#files").set_input_files([file])
        expect(newest).to_contain_text(first, timeout=ANSWER_MS)
        page.locator("#files").set_input_files([file])
        expect(page.get_by_role("listitem").filter(has_text=file["name"])).to_have_count(2)
        expect(newest).to_contain_text(again, timeout=ANSWER_MS)


def test_a_refused_upload_says_why_and_nothing_else(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["admin"])
    page.get_by_role("button", name="文档").click()
    page.locator("#documents-space").select_option("public")
    page.locator("#files").set_input_files([{"name": "空.txt", "mimeType": "text/plain", "buffer": b""}])
    expect(page.get_by_role("list", name="上传").locator(".upload-state")).to_have_text("失败: 文件是空的，没有保存。")


def test_a_server_that_is_gone_is_said_in_plain_words(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    page.route("**/v1/ask", lambda route: route.abort())
    page.get_by_label("问题", exact=True).fill("年假")
    page.keyboard.press("Enter")
    expect(page.locator(".turn [role=alert]")).to_have_text("连不上服务器。请确认知库正在运行，然后再试。")


def test_markup_in_answers_stays_text(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    hostile = "<img src=x onerror=alert(1)><b>粗</b>"
    token, done = json.dumps({"text": hostile}), json.dumps({"answer": hostile, "citations": []})
    stream = f"event: token\ndata: {token}\n\nevent: done\ndata: {done}\n\n"
    page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=stream))
    ask(page, "<i>斜</i>")
    expect(page.locator(".turn .answer")).to_have_text(hostile)
    assert page.locator(".turn img, .turn b, .turn i").count() == 0


def test_the_page_works_on_a_phone(browser: Browser, product: Product) -> None:
    context = browser.new_context(locale="zh-CN", viewport={"width": 375, "height": 700}, color_scheme="dark")
    page = context.new_page()
    page.goto(product.url)
    sign_in(page, product.credentials["employee"])
    ask(page, "会议室最长可以提前多少天预订？")
    page.locator(".citation").first.click()
    expect(page.locator("#source mark")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.keyboard.press("Escape")
    assert page.locator("#send").evaluate("node => node.clientHeight") < 50  # 提问 on one line
    page.get_by_role("button", name="文档").click()
    expect(page.get_by_role("row", name=re.compile("差旅报销制度"))).to_contain_text("可用")
    assert page.locator("#view-documents .table-frame").evaluate("node => node.scrollWidth <= node.clientWidth")
    context.close()


def test_the_page_asks_nothing_of_anybody_else(product: Product) -> None:
    files = sorted(Path("services/web/static").iterdir())
    with httpx.Client(base_url=product.url, trust_env=False) as client:
        answers = [client.get("/"), *(client.get(f"/assets/{file.name}") for file in files)]
        missing = client.get("/assets/..%2fpages.py")
    for answer in answers:
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)
        assert "innerHTML" not in answer.text
    assert missing.status_code == 404
    first = answers[0]
    with httpx.Client(base_url=product.url, trust_env=False) as client:
        again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
