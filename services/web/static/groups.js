// Groups of people and of other groups: who is in them, adding and taking out.

import { Trouble, call, json } from "/assets/api.js";
import { askFor, confirmed, field } from "/assets/dialog.js";
import { button, byId, element, redraw } from "/assets/dom.js";
import { forgetNames, loadNames, offersNames, principalKind, principalName } from "/assets/people_names.js";
import { words } from "/assets/words.js";

let isAdmin = false;
let groups = [];
let cursor = null;
let asked = 0;

export function startGroups() {
  byId("groups-more").addEventListener("click", () => load(cursor));
  byId("group-add").addEventListener("click", async () => {
    const added = await addGroup();
    if (!added) return;
    forgetNames();
    groups = [added, ...groups];
    draw();
  });
}

/** `admin` may change them, others look. */
export function offerGroups(admin) {
  isAdmin = admin;
  groups = [];
  asked += 1;
  byId("groups").replaceChildren();
  byId("group-add").hidden = !admin;
}

export const openGroups = () => load(null);

async function load(after) {
  const turn = ++asked;
  try {
    const page = await json(`/v1/groups?limit=100${after ? `&cursor=${encodeURIComponent(after)}` : ""}`);
    if (turn !== asked) return;
    groups = after ? [...groups, ...page.items] : page.items;
    cursor = page.next_cursor;
    byId("groups-more").hidden = !cursor;
    byId("groups-error").textContent = "";
    draw();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (turn === asked) byId("groups-error").textContent = error.message;
  }
}

/** Draw them in the present language. */
export const refreshGroups = () => draw();

function draw() {
  redraw(byId("groups"), ...(groups.length ? groups.map(line) : [element("li", { class: "hint" }, words("groups_none"))]));
}

const path = (group, rest = "") => `/v1/groups/${encodeURIComponent(group.id)}${rest}`;

/** A group; its members are read when it is opened. */
function line(group) {
  const members = element("div", { class: "members" });
  const details = element(
    "details", {},
    element("summary", {}, element("strong", {}, group.name), group.title === group.name ? null : element("span", { class: "facts" }, ` ${group.title}`)),
    members,
  );
  details.addEventListener("toggle", () => { if (details.open && !members.children.length) openMembers(group, members); });
  return element("li", { class: "line", "aria-label": group.name }, details);
}

async function openMembers(group, container) {
  const list = element("ul", { class: "chips", "aria-label": words("members_of", { name: group.name }) });
  const error = element("p", { class: "error", role: "alert" });
  const told = async (send) => {
    try {
      const { items } = await send();
      error.textContent = "";
      drawMembers(group, list, items, told);
      return true;
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      error.textContent = trouble.message;
      return false;
    }
  };
  container.replaceChildren(error, list, ...(isAdmin ? [addForm(group, told)] : []));
  await Promise.all([loadNames("user"), loadNames("group")]);
  await told(() => json(path(group, "/members")));
}

function drawMembers(group, list, items, told) {
  const remove = (member) => told(async () => {
    await call(path(group, `/members/${encodeURIComponent(member.principal)}`), { method: "DELETE" });
    return { items: items.filter((one) => one !== member) };
  });
  const chips = items.map((member) => element(
    "li", { class: "chip" },
    principalKind(member.member) === "group" ? element("span", { class: "badge" }, words("principal_group")) : null,
    principalName(member.member),
    isAdmin ? button("✕", () => remove(member), { "aria-label": `${words("remove")}: ${member.member}`, "data-focus": `remove-${member.principal}` }) : null,
  ));
  redraw(list, ...(chips.length ? chips : [element("li", { class: "hint" }, words("members_none"))]));
}

function addForm(group, told) {
  const kind = element("select", { "aria-label": words("entry_kind") }, ...["user", "group"].map((one) => element("option", { value: one }, words(`principal_${one}`))));
  const name = element("input", { type: "text", maxLength: 100, required: true, spellcheck: false, "aria-label": words("member_name"), placeholder: words("name") });
  offersNames(name, "user");
  kind.addEventListener("change", () => {
    name.setAttribute("list", `${kind.value}-names`);
    loadNames(kind.value);
  });
  const form = element(
    "form", { class: "add-row" }, kind, name, element("button", { type: "submit", class: "quiet" }, words("add")),
    button(words("group_delete"), () => removeGroup(group), { class: "quiet aside" }),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const members = [`${kind.value}:${name.value.trim()}`];
    if (await told(() => json(path(group, "/members"), { method: "POST", body: { members } }))) name.value = "";
    name.focus();
  });
  return form;
}

async function removeGroup(group) {
  const send = () => call(path(group), { method: "DELETE" });
  if (!(await confirmed(words("group_delete"), words("group_delete_ask", { name: group.name }), { submit: words("delete"), send, danger: true }))) return;
  forgetNames();
  groups = groups.filter((one) => one !== group);
  draw();
  byId("group-add").focus();
}

function addGroup() {
  const name = element("input", { type: "text", required: true, maxLength: 100, autocomplete: "off", spellcheck: false });
  const title = element("input", { type: "text", maxLength: 500, autocomplete: "off" });
  return askFor(words("group_add"), [field(words("group_name"), name, words("user_name_hint")), field(words("title"), title)], {
    submit: words("create"),
    send: () => json("/v1/groups", { method: "POST", body: { name: name.value.trim(), ...(title.value.trim() ? { title: title.value.trim() } : {}) } }),
  });
}
