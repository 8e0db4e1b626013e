// The entries of a policy: read from the server's shape, shown as rows that can be changed, written back.

import { button, element } from "/assets/dom.js";
import { principalKind, principalName } from "/assets/people_names.js";
import { asField, asInstant, moment } from "/assets/times.js";
import { words } from "/assets/words.js";

export const ROLES = ["reader", "editor", "manager", "denied"];

/** Rows `{principal, role, from, to}` of a policy; `role` may be “denied”, times are RFC 3339 or null. */
export function rowsOf({ allow, deny }) {
  const denials = deny.map((entry) => (typeof entry === "string" ? { principal: entry } : entry));
  return [...allow, ...denials.map((entry) => ({ ...entry, role: "denied" }))].map((entry) => ({
    principal: entry.principal, role: entry.role, from: entry.effective_from ?? null, to: entry.effective_to ?? null,
  }));
}

/** The policy that the rows say. */
export function policyOf(rows, extendsSpace = false) {
  const written = ({ principal, role, from, to }) => ({
    principal, ...(role === "denied" ? {} : { role }), ...(from ? { effective_from: from } : {}), ...(to ? { effective_to: to } : {}),
  });
  const policy = {
    allow: rows.filter((row) => row.role !== "denied").map(written),
    deny: rows.filter((row) => row.role === "denied").map(written),
  };
  return extendsSpace ? { ...policy, extends_space: true } : policy;
}

/** True if it ends before it begins. */
export const isBackwards = ({ from, to }) => Boolean(from && to && new Date(from) >= new Date(to));

/** A row of the table. `changed` is called when something in it was changed; without `remove` it is only to be read. */
export function entryRow(row, { changed, remove }) {
  const name = principalName(row.principal);
  const state = stateOf(row);
  return element(
    "tr", { class: row.role === "denied" ? "denied" : null },
    element(
      "th", { scope: "row" },
      element("span", { class: "principal" }, name), " ",
      row.principal === "everyone" ? null : element("span", { class: "badge" }, words(`principal_${principalKind(row.principal)}`)),
      state ? element("span", { class: "badge pending" }, words(state)) : null,
    ),
    cell("entry_role", remove ? roleField(row, name, changed) : words(`role_${row.role}`)),
    cell("entry_from", remove ? dateField(row, "from", name, changed) : dateText(row.from)),
    cell("entry_to", remove ? dateField(row, "to", name, changed) : dateText(row.to)),
    element("td", { class: "row-end" }, remove ? button(words("remove"), remove, { "aria-label": `${words("remove")}: ${name}`, "data-focus": `remove-${row.principal}` }) : null),
  );
}

/** A cell that says on a narrow screen what its column's head says on a wide one. */
const cell = (name, control) => element("td", { "data-head": words(name) }, control);

function stateOf({ from, to }) {
  if (to && new Date(to) <= new Date()) return "entry_over";
  return from && new Date(from) > new Date() ? "entry_not_yet" : null;
}

const dateText = (value) => (value ? moment(value) : "–");

function roleField(row, name, changed) {
  const select = element(
    "select", { "aria-label": `${words("entry_role")}: ${name}`, "data-focus": `role-${row.principal}` },
    ...ROLES.map((role) => element("option", { value: role }, words(`role_${role}`))),
  );
  select.value = row.role;
  select.addEventListener("change", () => {
    row.role = select.value;
    select.closest("tr").classList.toggle("denied", row.role === "denied");
    changed();
  });
  return select;
}

/** Keeps the seconds of a moment that is not touched. */
function dateField(row, side, name, changed) {
  const input = element("input", {
    type: "datetime-local", value: row[side] ? asField(new Date(row[side])) : "",
    "aria-label": `${words(`entry_${side}`)}: ${name}`, "data-focus": `${side}-${row.principal}`,
  });
  input.addEventListener("change", () => {
    row[side] = asInstant(input);
    changed();
  });
  return input;
}
