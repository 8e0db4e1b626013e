"""The page, against the running product: policies, explanations, people, groups and the audit log."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browsing import ANSWER_MS, BROWSER_TESTS, a_tab, open_document, sign_in, upload
from tests.e2e.product import Product

pytestmark = BROWSER_TESTS

_NUMBERS = count(1)
SECTIONS = {"access": "访问权限", "why": "为什么", "people": "人员与群组", "audit": "审计日志"}


@dataclass(frozen=True)
class Lab:
    """A space with one document that a group of one reader may read, through a group in it; names are its own."""

    product: Product
    space: str
    title: str
    document: str
    reader: str
    key: str

    @property
    def group(self) -> str:
        """The group that the policy names."""
        return f"{self.space}-all"

    def found_by(self, key: str) -> int:
        """How many passages somebody finds."""
        with self.product.client(key) as client:
            return len(client.post("/v1/search", json={"query": f"{self.title} 离心机"}).json()["results"])


@pytest.fixture
def lab(product: Product) -> Iterator[Lab]:
    """A new one for each test, and nothing of it afterwards in anybody's answers."""
    number = next(_NUMBERS)
    space, title = f"lab{number}", f"实验室规程{number}"
    with product.client() as admin:
        me = admin.get("/v1/users/me").json()["name"]
        admin.post("/v1/spaces", json={"name": space}).raise_for_status()
        reader, key = add_user(product, f"{space}-reader")
        for group, member in ((f"{space}-team", f"user:{reader}"), (f"{space}-all", f"group:{space}-team")):
            admin.post("/v1/groups", json={"name": group}).raise_for_status()
            admin.post(f"/v1/groups/{group}/members", json={"members": [member]}).raise_for_status()
        allow = [
            {"principal": f"group:{space}-all", "role": "reader"},
            {"principal": f"user:{me}", "role": "manager"},
        ]
        admin.put(f"/v1/spaces/{space}/policy", json={"allow": allow}).raise_for_status()
        document = upload(product, title, "离心机每次使用后必须清洗转子。", space=space)
        yield Lab(product, space, title, document, reader, key)
        admin.delete(f"/v1/documents/{document}").raise_for_status()


def add_user(product: Product, name: str, **fields: object) -> tuple[str, str]:
    """The name and a key of a new user."""
    with product.client() as admin:
        admin.post("/v1/users", json={"name": name, **fields}).raise_for_status()
        return name, admin.post("/v1/api-keys", json={"user": name, "name": "test"}).json()["key"]


def manage(page: Page, section: str) -> None:
    """Open a section of the tab."""
    page.get_by_role("button", name="管理", exact=True).click()
    page.get_by_role("button", name=SECTIONS[section], exact=True).click()


def row(page: Page, principal: str) -> Locator:
    """The row of the policy that begins with this name."""
    return page.locator("#access-rows tr").filter(has_text=principal)


def test_a_policy_shuts_somebody_out_after_saying_whom(page: Page, lab: Lab) -> None:
    assert lab.found_by(lab.key) == 1
    sign_in(page, lab.product.admin_key)
    manage(page, "access")
    page.locator("#access-space").select_option(lab.space)
    row(page, lab.group).get_by_label("权限").select_option("拒绝")
    page.get_by_role("button", name="预览并保存").click()

    preview = page.get_by_role("dialog", name="保存之前：谁会受影响")
    expect(preview).to_contain_text("将失去文档的有 1 人")
    preview.get_by_text(lab.reader).click()
    expect(preview.get_by_text(lab.title)).to_be_visible()
    assert lab.found_by(lab.key) == 1  # nothing has happened yet
    preview.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存，从下一次请求起有效。")).to_be_visible()
    assert lab.found_by(lab.key) == 0


def test_what_is_not_saved_is_not_lost(page: Page, lab: Lab) -> None:
    sign_in(page, lab.product.admin_key)
    manage(page, "access")
    page.locator("#access-space").select_option(lab.space)
    page.get_by_label("群组名").first.fill("no-such-group")
    page.get_by_role("button", name="添加条目").click()
    page.get_by_role("button", name="预览并保存").click()
    expect(page.locator("#access-error")).to_have_text("没有名为“group:no-such-group”的人或群组。")

    page.get_by_role("button", name="文档", exact=True).click()
    warning = page.get_by_role("dialog", name="放弃修改")
    expect(warning).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, "no-such-group")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(row(page, "no-such-group")).to_contain_text("group")
    page.get_by_role("button", name="中文").click()

    page.get_by_role("button", name="文档", exact=True).click()
    warning.get_by_role("button", name="放弃修改").click()
    expect(page.locator("#view-documents")).to_be_visible()


def test_a_document_adds_to_the_policy_of_its_space_for_a_time(page: Page, lab: Lab) -> None:
    guest, key = add_user(lab.product, f"{lab.space}-guest")
    sign_in(page, lab.product.admin_key)
    open_document(page, lab.title)
    page.get_by_role("button", name="访问权限").click()
    expect(row(page, lab.group)).to_contain_text("阅读")  # the space's, to be read only
    expect(row(page, lab.group).get_by_role("combobox")).to_have_count(0)

    page.locator("#access-mode").select_option("在空间的基础上增加")
    page.locator("#entry-kind").select_option("个人")
    page.locator("#entry-user").fill(guest)
    page.keyboard.press("Enter")
    row(page, guest).get_by_label("结束").fill("2020-01-01T00:00")
    row(page, guest).get_by_label("开始").fill("2030-01-01T00:00")
    page.get_by_role("button", name="预览并保存").click()
    expect(page.locator("#access-error")).to_have_text("有一行的结束时间不晚于开始时间。")
    row(page, guest).get_by_label("开始").fill("2020-01-01T00:00")
    row(page, guest).get_by_label("结束").fill("2099-01-01T00:00")
    page.get_by_role("button", name="预览并保存").click()
    preview = page.get_by_role("dialog")
    expect(preview).to_contain_text("将得到文档的有 1 人")
    preview.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存")).to_be_visible()

    assert lab.found_by(key) == 1
    assert lab.found_by(lab.key) == 1
    with lab.product.client() as admin:
        policy = admin.get(f"/v1/documents/{lab.document}/policy").json()
    assert policy["extends_space"]
    assert policy["allow"][0]["effective_to"].startswith(("2098-12-31", "2099-01-01"))


def test_an_explanation_names_the_rule_and_the_way(page: Page, lab: Lab) -> None:
    sign_in(page, lab.product.admin_key)
    manage(page, "why")
    page.get_by_label("谁", exact=True).fill(lab.reader)
    field = page.get_by_label("哪份文档", exact=True).first
    field.fill(lab.title)
    option = page.locator("#why-documents option").first
    expect(option).to_have_attribute("value", f"{lab.title} ({lab.document})")
    field.fill(f"{lab.title} ({lab.document})")
    page.get_by_role("button", name="查询").click()
    answer = page.locator("#why-answer")
    expect(answer).to_contain_text(f"{lab.reader} 可以阅读“{lab.title}”。")
    expect(answer).to_contain_text(f"{lab.reader} → 群组 {lab.space}-team → 群组 {lab.group}")
    expect(answer).to_be_focused()

    field.fill(lab.document)
    page.get_by_label("什么时候").fill("2001-01-01T00:00")
    page.keyboard.press("Enter")
    expect(page.locator("#why-error")).to_have_text("那时还没有开始记录权限的变化，请查询较晚的时间。")
    expect(field).to_have_value(lab.document)


def test_a_person_is_made_given_a_key_deactivated_and_given_a_password(page: Page, product: Product, lab: Lab) -> None:
    sign_in(page, product.admin_key)
    manage(page, "people")
    page.get_by_role("button", name="添加人员").click()
    dialog = page.get_by_role("dialog", name="添加人员")
    dialog.get_by_label("账号名").fill(lab.reader)
    dialog.get_by_label("姓名").fill("王芳")
    dialog.get_by_label("阅读级别").select_option("机密")
    dialog.get_by_role("button", name="创建").click()
    expect(dialog.get_by_role("alert")).to_have_text("这个名称已经用过了，请换一个。")
    name = f"{lab.space}-wang"
    dialog.get_by_label("账号名").fill(name)
    dialog.get_by_role("button", name="创建").click()
    line = page.get_by_role("list", name="人员").get_by_role("listitem", name=name)
    expect(line).to_contain_text("王芳")
    expect(line).to_contain_text("机密")

    line.get_by_role("button", name="密钥").click()
    keys = page.get_by_role("dialog", name=f"{name} 的密钥")
    keys.get_by_role("button", name="新建密钥").click()
    form = page.get_by_role("dialog", name="新建密钥")
    form.get_by_label("用途").fill("试用")
    form.get_by_label("检索").check()
    form.get_by_role("button", name="创建").click()
    key = keys.get_by_label("“试用”的密钥").input_value()
    page.keyboard.press("Escape")
    with product.client(key) as client:
        assert client.get("/v1/users/me").json()["display_name"] == "王芳"
        assert client.get("/v1/documents").status_code == 403  # the key is for searching
        line.get_by_role("button", name="停用").click()
        page.get_by_role("dialog", name="停用").get_by_role("button", name="停用").click()
        expect(line).to_contain_text("已停用")
        assert client.get("/v1/users/me").status_code == 401
    assert key not in page.content()
    line.get_by_role("button", name="恢复").click()
    page.get_by_role("dialog", name="恢复").get_by_role("button", name="恢复").click()
    expect(line).not_to_contain_text("已停用")
    line.get_by_role("button", name="密码").click()
    secret = page.get_by_role("dialog", name=f"设置 {name} 的密码")
    secret.get_by_label("新密码").fill("password1234")
    secret.get_by_role("button", name="保存").click()
    expect(secret.get_by_role("alert")).to_have_text("密码不够长、太常见，或者含有用户名，请换一个。")
    secret.get_by_label("新密码").fill("山高水长-云淡风轻-31")
    secret.get_by_role("button", name="保存").click()
    expect(secret).to_have_count(0)
    with product.client() as client:
        login = client.post("/v1/login", json={"name": name, "password": "山高水长-云淡风轻-31"})
        assert login.status_code == 200


def test_groups_are_nested_but_not_in_a_circle(page: Page, lab: Lab) -> None:
    sign_in(page, lab.product.admin_key)
    manage(page, "people")
    team = page.get_by_role("list", name="群组", exact=True).get_by_role("listitem", name=f"{lab.space}-team")
    team.locator("summary").click()
    members = page.get_by_role("list", name=f"{lab.space}-team 的成员")
    expect(members).to_contain_text(lab.reader)
    team.get_by_label("类型").select_option("群组")
    team.get_by_label("成员的名称").fill(lab.group)
    team.get_by_role("button", name="添加", exact=True).click()
    expect(team.get_by_role("alert")).to_have_text("群组不能直接或间接包含自己。")
    expect(team.get_by_label("成员的名称")).to_have_value(lab.group)

    members.get_by_role("button", name=f"移除: user:{lab.reader}").click()
    expect(members).to_contain_text("没有成员。")
    assert lab.found_by(lab.key) == 0


def test_the_audit_log_is_read_narrowed_and_verified(page: Page, lab: Lab) -> None:
    assert lab.found_by(lab.key) == 1
    sign_in(page, lab.product.admin_key)
    manage(page, "audit")
    page.get_by_role("button", name="验证").click()
    expect(page.locator("#audit-verdict")).to_contain_text("日志完整")
    page.get_by_label("哪份文档", exact=True).last.fill(lab.document)
    page.get_by_role("button", name="筛选").click()
    events = page.get_by_role("list", name="审计日志").get_by_role("listitem")
    expect(events.first).to_contain_text("admin")
    events.first.locator("summary").click()
    expect(events.first.get_by_role("definition").filter(has_text=lab.document).first).to_be_visible()
    page.get_by_role("button", name="显示全部").click()
    expect(page.get_by_label("哪份文档", exact=True).last).to_have_value("")


def test_an_answer_is_traced_and_replayed_from_the_log(page: Page, lab: Lab) -> None:
    question = f"{lab.title}：离心机每次使用后要做什么？"
    with lab.product.client(lab.key) as client:
        assert not client.post("/v1/ask", json={"question": question}).json()["abstained"]
    sign_in(page, lab.product.admin_key)
    manage(page, "audit")
    page.get_by_label("谁做的").fill(lab.reader)
    page.locator("#audit-kind").select_option("回答")
    page.get_by_role("button", name="筛选").click()
    events = page.get_by_role("list", name="审计日志").get_by_role("listitem")
    expect(events).to_have_count(1)
    events.locator("summary").click()
    events.get_by_role("button", name="查看追踪").click()
    trace = page.get_by_role("dialog", name="检索与回答的追踪")
    expect(trace).to_contain_text(question)
    expect(trace.get_by_role("listitem").filter(has_text="被引用")).to_contain_text(lab.title)
    trace.get_by_role("button", name="重放").click()
    expect(trace.get_by_role("status")).to_contain_text("重建的提示与当时逐字节相同。", timeout=ANSWER_MS)


def test_managers_and_auditors_have_their_parts_only(page: Page, browser: Browser, lab: Lab) -> None:
    _, auditor = add_user(lab.product, f"{lab.space}-auditor", is_auditor=True)
    name, manager = add_user(lab.product, f"{lab.space}-manager")
    with lab.product.client() as admin:
        allow = [*admin.get(f"/v1/spaces/{lab.space}/policy").json()["allow"]]
        allow.append({"principal": f"user:{name}", "role": "manager"})
        admin.put(f"/v1/spaces/{lab.space}/policy", json={"allow": allow}).raise_for_status()

    sign_in(page, auditor)
    manage(page, "people")
    expect(page.get_by_role("button", name="访问权限")).to_have_count(0)
    expect(page.get_by_role("listitem", name=lab.reader)).to_be_visible()
    for forbidden in ("添加人员", "停用", "添加群组"):
        expect(page.get_by_role("button", name=forbidden)).to_have_count(0)

    with a_tab(browser, lab.product.url) as other:
        sign_in(other, lab.key)
        expect(other.get_by_role("button", name="管理", exact=True)).to_have_count(0)
        other.get_by_role("button", name="退出").click()
        sign_in(other, manager)
        manage(other, "access")
        expect(other.get_by_role("button", name="审计日志")).to_have_count(0)
        assert other.locator("#access-space option").all_inner_texts()[1:] == [lab.space]
        row(other, lab.group).get_by_role("button", name="移除").click()
        other.get_by_role("button", name="保存", exact=True).click()
        expect(other.get_by_text("已保存")).to_be_visible()
    assert lab.found_by(lab.key) == 0


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_it_fits_a_phone_and_every_field_has_a_name(browser: Browser, product: Product, lab: Lab, locale: str) -> None:
    with a_tab(browser, product.url, viewport={"width": 390, "height": 800}, locale=locale) as page:
        page.locator("#key").fill(product.admin_key)
        page.keyboard.press("Enter")
        page.locator("#tab-manage").click()
        page.locator("#manage-tab-access").focus()
        order = []
        for _ in range(5):
            page.keyboard.press("Tab")
            order.append(page.evaluate("document.activeElement.id"))
        assert order == ["manage-tab-why", "manage-tab-people", "manage-tab-audit", "access-space", "access-document"]
        page.locator("#access-space").select_option(lab.space)
        expect(page.locator("#access-rows tr")).to_have_count(2)
        for section in SECTIONS:
            page.locator(f"#manage-tab-{section}").click()
            if section in ("people", "audit"):
                page.locator(f"#manage-{section} summary").first.click()
            assert page.evaluate("document.documentElement.scrollWidth") == 390, section
            assert page.evaluate(_NAMELESS) == [], section
        page.locator("#manage-tab-people").click()
        page.locator("#person-add").click()
        assert page.evaluate(_NAMELESS) == []


_NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button")]
  .filter((node) => node.checkVisibility())
  .filter((node) => {
    const labels = [...(node.labels ?? [])].map((label) => label.textContent).join("");
    const own = node.tagName === "BUTTON" ? node.textContent : "";
    return !(labels + own + (node.getAttribute("aria-label") ?? "")).trim() || node.tabIndex > 0;
  })
  .map((node) => node.outerHTML)"""
