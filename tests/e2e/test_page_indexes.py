"""The page, against the running product: index generations, their gate, and snapshots, for administrators."""

from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.browsing import BROWSER_TESTS, ask, sign_in, upload
from tests.e2e.product import Product

pytestmark = BROWSER_TESTS

BUILD_MS = 180_000


def open_indexes(page: Page, product: Product) -> None:
    sign_in(page, product.admin_key)
    page.get_by_role("button", name="索引", exact=True).click()
    expect(page.get_by_role("list", name="索引").get_by_text("使用中")).to_be_visible()


def confirm(page: Page, name: str) -> None:
    """Say yes to the dialog that asks about `name`."""
    dialog = page.get_by_role("dialog", name=name)
    dialog.get_by_role("button", name=name, exact=True).click()
    expect(dialog).to_have_count(0)


def indexes(product: Product) -> list[dict[str, Any]]:
    with product.client() as client:
        items: list[dict[str, Any]] = client.get("/v1/indexes").json()["items"]
    return items


def begin(page: Page, product: Product, *, gate: str | None = None, min_ndcg: str = "") -> Locator:
    """Start a re-index in the dialog; the card of the new index."""
    known = {item["id"] for item in indexes(product)}
    page.get_by_role("button", name="重建索引").click()
    dialog = page.get_by_role("dialog", name="重建索引")
    if gate is not None:
        dialog.get_by_label("检验用的问题集").fill(gate)
        dialog.get_by_label("nDCG@10 至少达到").fill(min_ndcg)
    dialog.get_by_role("button", name="开始重建").click()
    expect(dialog).to_have_count(0)
    [new] = [item for item in indexes(product) if item["id"] not in known]
    card = page.get_by_role("list", name="索引").get_by_role("listitem", name=new["label"], exact=True)
    expect(card).to_contain_text("已建好", timeout=BUILD_MS)
    return card


def drop(page: Page, card: Locator) -> None:
    card.get_by_role("button", name="删除").click()
    confirm(page, "删除")
    expect(card.get_by_role("button", name="启用")).to_have_count(0)


def golden_set(product: Product, name: str, questions: list[str], external_id: str) -> None:
    """Questions that this document answers (a gate needs five)."""
    with product.client() as client:
        documents = [{"space": "public", "external_id": external_id}]
        body = {"name": name, "questions": [{"question": question, "documents": documents} for question in questions]}
        answer = client.post("/v1/golden-sets", json=body)
        assert answer.status_code == 201, answer.text


def test_only_administrators_have_the_tab(page: Page, product: Product) -> None:
    sign_in(page, product.credentials["employee"])
    expect(page.get_by_role("button", name="文档", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="索引", exact=True)).to_have_count(0)


def test_an_index_is_built_promoted_left_again_and_dropped(page: Page, product: Product) -> None:
    open_indexes(page, product)
    [before] = [item["id"] for item in indexes(product) if item["state"] == "live"]
    card = begin(page, product)
    card.get_by_role("button", name="启用").click()
    confirm(page, "启用")
    expect(card).to_contain_text("使用中")
    assert [item["id"] for item in indexes(product) if item["state"] == "live"] != [before]

    card.get_by_role("button", name="换回上一个").click()
    confirm(page, "换回上一个")
    expect(card).to_contain_text("已换下")
    assert [item["id"] for item in indexes(product) if item["state"] == "live"] == [before]
    drop(page, card)

    page.get_by_role("button", name="问答", exact=True).click()
    ask(page, "出差住酒店，一线城市每晚最多报销多少钱？")
    expect(page.locator(".turn .answer")).to_contain_text("650")


def test_an_index_that_its_gate_refuses_cannot_be_promoted(page: Page, product: Product) -> None:
    upload(product, "潜水俱乐部", "潜水俱乐部每年十月招收新会员。")
    topics = ["年假可以结转吗？", "住宿每晚最多报销多少？", "忘记密码怎么办？", "合同由谁签字？", "加班怎么算？"]
    golden_set(product, "found-by-nobody", topics, "潜水俱乐部")
    open_indexes(page, product)
    card = begin(page, product, gate="found-by-nobody", min_ndcg="0.99")
    expect(card.get_by_text("未通过")).to_be_visible(timeout=BUILD_MS)
    card.get_by_text("检验报告").click()
    expect(card).to_contain_text("nDCG@10 低于要求")
    expect(card.get_by_role("row", name="nDCG@10")).to_be_visible()
    card.get_by_role("button", name="启用").click()
    dialog = page.get_by_role("dialog", name="启用")
    dialog.get_by_role("button", name="启用").click()
    expect(dialog.get_by_role("alert")).to_have_text("检验未通过，不能启用。")
    page.keyboard.press("Escape")
    drop(page, card)


def test_an_index_that_is_as_good_passes_its_gate(page: Page, product: Product) -> None:
    upload(product, "射箭协会", "射箭协会每周四晚上在体育馆训练，会费每年 260 元。")
    endings = ["会费是多少？", "在哪里训练？", "星期几训练？", "什么时候训练？", "每年要交多少钱？"]
    golden_set(product, "archery", [f"射箭协会{ending}" for ending in endings], "射箭协会")
    open_indexes(page, product)
    card = begin(page, product, gate="archery")
    expect(card.get_by_text("通过", exact=True)).to_be_visible(timeout=BUILD_MS)
    card.get_by_text("检验报告").click()
    expect(card).to_contain_text("没有变差的问题。")
    drop(page, card)


def test_a_build_shows_its_progress_and_can_be_cancelled(page: Page, product: Product) -> None:
    """With the server's answers given by hand, for a real build of the samples is over too soon."""
    job = {"id": "j-1", "kind": "reindex", "state": "running", "stage": "build", "error": None}
    job |= {"done": 300, "total": 1200, "rate": 45.0, "eta": 20.0}
    building = {"id": 7, "state": "building", "label": "e5@7", "job": job, "embedding": "e5", "dimension": 384}
    building |= {"chunking": {"max_tokens": 256, "min_tokens": 48}, "space_chunking": {}, "rows": 300, "documents": 12}
    building |= {"lag": None}
    building |= {"gate": None, "evaluation_id": None, "created_at": "2026-03-01T09:30:00Z"}
    building |= {"ready_at": None, "live_at": None, "retired_at": None}
    asked: list[str] = []

    def cancel(route: Route) -> None:
        asked.append(route.request.method)
        building.update(state="cancelled", job=None)
        job.update(state="cancelled")
        route.fulfill(json=job)

    page.route("**/v1/indexes", lambda route: route.fulfill(json={"items": [building], "next_cursor": None}))
    page.route("**/v1/jobs/j-1", lambda route: route.fulfill(json=job))
    page.route("**/v1/jobs/j-1/cancel", cancel)
    sign_in(page, product.admin_key)
    page.get_by_role("button", name="索引", exact=True).click()
    card = page.get_by_role("list", name="索引").get_by_role("listitem", name="e5@7")
    expect(card).to_contain_text("建立索引 · 300 / 1,200 · 每秒 45 · 约剩 20秒")
    expect(card.get_by_role("progressbar")).to_have_js_property("value", 25)
    job.update(done=900, eta=6.0)
    expect(card).to_contain_text("900 / 1,200")  # without being drawn anew by anybody
    card.get_by_role("button", name="取消建立").click()
    confirm(page, "取消建立")
    expect(card).to_contain_text("已取消")
    assert asked == ["POST"]


def test_a_snapshot_is_made_listed_and_forgotten(page: Page, product: Product) -> None:
    open_indexes(page, product)
    snapshots = page.get_by_role("list", name="快照").get_by_role("listitem")
    page.get_by_role("button", name="新建快照").click()
    dialog = page.get_by_role("dialog", name="新建快照")
    dialog.get_by_label("名称").fill("页面快照")
    dialog.get_by_label("备注").fill("试用")
    dialog.get_by_role("button", name="创建").click()
    expect(snapshots.filter(has_text="页面快照")).to_contain_text("试用")
    expect(snapshots.filter(has_text="页面快照")).to_contain_text("全部空间")

    page.get_by_role("button", name="新建快照").click()
    dialog.get_by_label("名称").fill("页面快照")
    dialog.get_by_role("button", name="创建").click()
    expect(dialog.get_by_role("alert")).to_have_text("这个名称已经用过了，请换一个。")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="删除: 页面快照").click()
    confirm_delete = page.get_by_role("dialog", name="删除快照")
    confirm_delete.get_by_role("button", name="删除", exact=True).click()
    expect(snapshots.filter(has_text="页面快照")).to_have_count(0)
