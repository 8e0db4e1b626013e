// Snapshots, for administrators: names for the state of everything, or of a space, at a moment.

import { Trouble, call, itemsOf, json } from "/assets/api.js";
import { askFor, confirmed, field } from "/assets/dialog.js";
import { button, byId, element, redraw } from "/assets/dom.js";
import { moment } from "/assets/times.js";
import { words } from "/assets/words.js";

export function startSnapshots() {
  byId("create-snapshot").addEventListener("click", async () => { if (await create()) await reloadSnapshots(); });
}

/** Read and draw the list. */
export async function reloadSnapshots() {
  try {
    const { items } = await json("/v1/snapshots?limit=100");
    byId("snapshots-error").textContent = "";
    redraw(byId("snapshots"), ...(items.length ? items.map(line) : [element("li", { class: "hint" }, words("no_snapshots"))]));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("snapshots-error").textContent = error.message;
  }
}

function line(item) {
  const facts = [item.space ?? words("of_everything"), moment(item.created_at), words("epoch", { n: item.epoch })];
  return element(
    "li", { class: "snapshot" },
    element("strong", {}, item.name),
    element("span", { class: "facts" }, facts.join(" · ")),
    item.comment ? element("span", { class: "comment" }, item.comment) : null,
    button(words("delete"), () => remove(item), { "data-focus": `delete-${item.name}`, "aria-label": `${words("delete")}: ${item.name}` }),
  );
}

async function remove({ name }) {
  const send = () => call(`/v1/snapshots/${encodeURIComponent(name)}`, { method: "DELETE" });
  if (!(await confirmed(words("delete_snapshot"), words("delete_snapshot_ask", { name }), { submit: words("delete"), send, danger: true }))) return;
  await reloadSnapshots();
  byId("create-snapshot").focus();
}

async function create() {
  const spaces = await itemsOf("/v1/spaces?limit=100");
  const name = element("input", { type: "text", required: true, maxLength: 100, autocomplete: "off" });
  const comment = element("input", { type: "text", maxLength: 1000, autocomplete: "off" });
  const space = element(
    "select", {},
    element("option", { value: "" }, words("of_everything")),
    ...spaces.map((one) => element("option", { value: one.name }, one.title || one.name)),
  );
  return askFor(words("create_snapshot"), [field(words("name"), name), field(words("space"), space), field(words("comment"), comment)], {
    submit: words("create"),
    send: () => {
      const body = { name: name.value.trim() };
      if (space.value) body.space = space.value;
      if (comment.value.trim()) body.comment = comment.value.trim();
      return json("/v1/snapshots", { method: "POST", body });
    },
  });
}
