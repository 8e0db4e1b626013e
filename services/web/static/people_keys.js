// The keys of one user: which there are, a new one (shown this once), revoking.

import { Trouble, call, json } from "/assets/api.js";
import { askFor, confirmed, field, openDialog } from "/assets/dialog.js";
import { button, element, redraw } from "/assets/dom.js";
import { asInstant, moment } from "/assets/times.js";
import { words } from "/assets/words.js";

const SCOPES = ["search", "ask", "read", "write", "admin", "audit", "provision", "metrics"];

/** Show a user's keys; who may not manage them looks. */
export async function openKeys(user, mayManage) {
  const list = element("ul", { class: "lines", "aria-label": words("keys") }, element("li", { class: "hint" }, words("loading")));
  const issued = element("div", { class: "issued", role: "status" });
  const error = element("p", { class: "error", role: "alert" });
  const again = () => draw(user, mayManage, list, error);
  const add = button(words("create_key"), async () => {
    const made = await makeKey(user);
    if (!made) return;
    issued.replaceChildren(...shownOnce(made));
    await again();
  });
  openDialog(words("keys_of", { name: user.name }), [error, issued, list, element("div", { class: "dialog-foot" }, mayManage ? add : "")], { wide: true });
  await again();
}

async function draw(user, mayManage, list, error) {
  try {
    const { items, next_cursor: more } = await json(`/v1/api-keys?${new URLSearchParams({ user: user.id, limit: "200" })}`);
    const lines = items.map((key) => line(key, mayManage && (() => revoke(key, () => draw(user, mayManage, list, error)))));
    if (!lines.length) lines.push(element("li", { class: "hint" }, words("keys_none")));
    if (more) lines.push(element("li", { class: "hint" }, words("keys_more")));
    redraw(list, ...lines);
    error.textContent = "";
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    error.textContent = trouble.message;
  }
}

function line(key, ask) {
  const ended = key.revoked_at !== null || (key.expires_at !== null && new Date(key.expires_at) <= new Date());
  const facts = [
    words("key_created", { time: moment(key.created_at) }),
    key.expires_at ? words("until_moment", { time: moment(key.expires_at) }) : null,
    key.last_used_at ? words("key_used", { time: moment(key.last_used_at) }) : words("key_unused"),
    key.scopes ? key.scopes.map((scope) => words(`scope_${scope}`)).join(", ") : words("scope_all"),
    key.acts_for ? words("acts_for") : null,
  ].filter(Boolean);
  return element(
    "li", { class: ended ? "line faded" : "line" },
    element("strong", {}, key.name),
    key.kind === "session" ? element("span", { class: "badge" }, words("key_session")) : null,
    ended ? element("span", { class: "badge failed" }, words(key.revoked_at ? "key_revoked" : "key_expired")) : null,
    element("span", { class: "facts" }, facts.join(" · ")),
    ask && !ended ? element("div", { class: "card-actions" }, button(words("revoke"), ask, { "data-focus": `revoke-${key.id}`, "aria-label": `${words("revoke")}: ${key.name}` })) : null,
  );
}

async function revoke(key, again) {
  const send = () => call(`/v1/api-keys/${encodeURIComponent(key.id)}`, { method: "DELETE" });
  if (await confirmed(words("revoke_key"), words("revoke_key_ask", { name: key.name }), { submit: words("revoke"), send, danger: true })) await again();
}

function makeKey(user) {
  const name = element("input", { type: "text", required: true, maxLength: 500, autocomplete: "off" });
  const expires = element("input", { type: "date" });
  const actsFor = element("input", { type: "checkbox" });
  const boxes = SCOPES.map((scope) => element("input", { type: "checkbox", value: scope }));
  const check = (input, text) => element("label", { class: "check" }, input, text);
  const nodes = [
    field(words("key_purpose"), name),
    field(words("key_expires"), expires),
    element("fieldset", { class: "checks" }, element("legend", {}, words("scopes_hint")), ...boxes.map((box) => check(box, words(`scope_${box.value}`)))),
    user.kind === "service" ? check(actsFor, words("acts_for_hint")) : null,
  ].filter(Boolean);
  return askFor(words("create_key"), nodes, {
    submit: words("create"),
    send: () => {
      const body = { user: user.id, name: name.value.trim() };
      const scopes = boxes.filter((box) => box.checked).map((box) => box.value);
      if (scopes.length) body.scopes = scopes;
      if (expires.value) body.expires_at = asInstant(expires);
      if (actsFor.checked) body.acts_for = true;
      return json("/v1/api-keys", { method: "POST", body });
    },
  });
}

function shownOnce({ name, key }) {
  const field = element("input", { type: "text", readOnly: true, value: key, "aria-label": words("key_new", { name }), onfocus: () => field.select() });
  const copy = button(words("copy"), async () => {
    try {
      await navigator.clipboard.writeText(key);
      copy.textContent = words("copied");
    } catch {
      field.focus();  // without the right to the clipboard: selected, to be copied by hand
    }
  });
  return [element("p", {}, words("key_new", { name })), element("div", { class: "row" }, field, copy)];
}
