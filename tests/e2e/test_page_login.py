"""The page: logging in with a password, one's own keys, logging out."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.browsing import BROWSER_TESTS
from tests.e2e.product import Product

pytestmark = BROWSER_TESTS

PASSWORD = "纸短情长-路遥马急-9527"


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def test_somebody_logs_in_makes_a_key_revokes_it_and_logs_out(page: Page, product: Product) -> None:
    with product.client(product.credentials["employee"]) as own:
        name = own.get("/v1/users/me").json()["name"]
    with product.client() as admin:
        admin.put(f"/v1/users/{name}/password", json={"password": PASSWORD}).raise_for_status()

    log_in(page, name, "wrong")
    expect(page.get_by_role("alert").first).to_have_text("用户名或密码不正确。")
    log_in(page, name, PASSWORD)
    expect(page.get_by_role("heading", name="想知道什么？")).to_be_visible()
    session = page.evaluate("sessionStorage.getItem('zhiku.key')")
    assert session.startswith("zs_")

    page.get_by_role("button", name="密钥", exact=True).click()
    page.get_by_role("button", name="新建密钥").click()
    form = page.get_by_role("dialog", name="新建密钥")
    form.get_by_label("名称").fill("报表")
    form.get_by_label("检索").check()
    form.get_by_role("button", name="创建").click()
    shown = page.get_by_role("dialog", name="新的密钥")
    key = shown.get_by_label("API 密钥").input_value()
    with product.client(key) as program:
        assert program.get("/v1/users/me").json()["scopes"] == ["search"]
    page.keyboard.press("Escape")
    keys = page.get_by_role("dialog", name="密钥", exact=True)
    expect(keys.get_by_role("listitem").filter(has_text="报表")).to_contain_text(re.compile("检索 · 长期有效"))
    assert key not in page.content()
    keys.get_by_role("button", name="吊销: 报表").click()
    page.get_by_role("dialog", name="吊销密钥").get_by_role("button", name="吊销").click()
    expect(keys.get_by_role("listitem").filter(has_text="报表")).to_have_count(0)
    with product.client(key) as program:
        assert program.get("/v1/users/me").status_code == 401
    page.keyboard.press("Escape")

    with page.expect_response("**/v1/logout"):
        page.get_by_role("button", name="退出").click()
    expect(page.get_by_label("用户名")).to_be_focused()
    with product.client(session) as ended:
        assert ended.get("/v1/users/me").status_code == 401

    for _ in range(6):
        page.get_by_label("密码").fill("wrong")
        with page.expect_response("**/v1/login"):
            page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert").first).to_contain_text("尝试次数过多，请在")
