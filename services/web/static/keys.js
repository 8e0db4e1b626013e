// One's own API keys: a list, making one (shown once), revoking one.

import { Trouble, call, json } from "/assets/api.js";
import { askFor, confirmed, field, openDialog } from "/assets/dialog.js";
import { button, element, redraw } from "/assets/dom.js";
import { asInstant, day } from "/assets/times.js";
import { words } from "/assets/words.js";

const PATH = "/v1/users/me/keys";
const SCOPES = ["search", "ask", "read", "write"];

/** Open the list. */
export async function openKeys() {
  const list = element("ul", { class: "snapshots" });
  const error = element("p", { class: "error", role: "alert" });
  const add = button(words("create_key"), async () => { if (await create()) await draw(); }, { class: "primary" });
  const draw = () => reload(list, error, draw);
  openDialog(words("my_keys"), [element("p", { class: "hint" }, words("my_keys_hint")), error, list, element("div", { class: "dialog-foot" }, add)]);
  await draw();
}

async function reload(list, error, draw) {
  try {
    const items = [];
    for (let cursor = ""; cursor !== null;) {
      const page = await json(`${PATH}?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      items.push(...page.items.filter((item) => !item.revoked_at));
      cursor = page.next_cursor;
    }
    error.textContent = "";
    redraw(list, ...(items.length ? items.map((item) => line(item, draw)) : [element("li", { class: "hint" }, words("no_keys"))]));
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    error.textContent = trouble.message;
  }
}

function line(item, draw) {
  const facts = [
    item.scopes ? item.scopes.map(nameOf).join(" · ") : words("scope_all"),
    item.expires_at ? words("key_until", { time: day(item.expires_at) }) : words("key_for_ever"),
    item.last_used_at ? words("key_used", { time: day(item.last_used_at) }) : words("key_unused"),
  ];
  return element(
    "li", { class: "snapshot" },
    element("strong", {}, item.name),
    element("span", { class: "facts" }, facts.join(" · ")),
    button(words("revoke"), () => revoke(item, draw), { "data-focus": `revoke-${item.id}`, "aria-label": `${words("revoke")}: ${item.name}` }),
  );
}

const nameOf = (scope) => (SCOPES.includes(scope) ? words(`scope_${scope}`) : scope);

async function revoke({ id, name }, draw) {
  const send = () => call(`${PATH}/${encodeURIComponent(id)}`, { method: "DELETE" });
  if (await confirmed(words("revoke_key"), words("revoke_key_ask", { name }), { submit: words("revoke"), send, danger: true })) await draw();
}

async function create() {
  const name = element("input", { type: "text", required: true, maxLength: 100, autocomplete: "off" });
  const until = element("input", { type: "date" });
  const boxes = SCOPES.map((scope) => element("input", { type: "checkbox", value: scope }));
  const choices = element(
    "fieldset", { class: "choices" },
    element("legend", {}, words("key_scopes")),
    ...boxes.map((box) => element("label", {}, box, " ", words(`scope_${box.value}`))),
  );
  const made = await askFor(words("create_key"), [field(words("name"), name), choices, field(words("key_end"), until)], {
    submit: words("create"),
    send: () => {
      const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
      const body = { name: name.value.trim(), scopes: chosen.length ? chosen : null, expires_at: asInstant(until) };
      return json(PATH, { method: "POST", body });
    },
  });
  if (made) show(made.key);
  return made;
}

/** The one time that the secret is there. */
function show(secret) {
  const shown = element("input", { type: "text", readOnly: true, value: secret, class: "secret", "aria-label": words("key_label") });
  const copy = button(words("copy"), async () => { shown.select(); await navigator.clipboard?.writeText(secret); }, { class: "primary" });
  openDialog(words("key_made"), [element("p", {}, words("key_made_hint")), shown, element("div", { class: "dialog-foot" }, copy)]);
}
