// Adding and changing one person or service account, and setting a password.

import { call, json } from "/assets/api.js";
import { askFor, field } from "/assets/dialog.js";
import { element } from "/assets/dom.js";
import { words } from "/assets/words.js";

const LEVELS = ["public", "internal", "confidential", "restricted"];

const line = (value = "", properties = {}) => element("input", { type: "text", maxLength: 100, autocomplete: "off", value, ...properties });

function inputsOf(person) {
  const choice = (values, word, value) => {
    const select = element("select", {}, ...values.map((one) => element("option", { value: one }, words(`${word}_${one}`))));
    select.value = value;
    return select;
  };
  return {
    name: line(person.name, { required: true, spellcheck: false }),
    display_name: line(person.display_name, { maxLength: 500 }),
    email: line(person.email ?? "", { maxLength: 500, type: "email" }),
    clearance: choice(LEVELS, "level", person.clearance),
    kind: choice(["person", "service"], "kind", person.kind),
    is_admin: element("input", { type: "checkbox", checked: person.is_admin }),
    is_auditor: element("input", { type: "checkbox", checked: person.is_auditor }),
  };
}

function fields(inputs, isNew) {
  const check = (name, input) => element("label", { class: "check" }, input, words(name));
  return [
    isNew ? field(words("kind"), inputs.kind) : null,
    field(words("user_name"), inputs.name, words("user_name_hint")),
    element("div", { class: "field-row" }, field(words("display_name"), inputs.display_name), field(words("email"), inputs.email)),
    field(words("clearance"), inputs.clearance, words("clearance_hint")),
    element("fieldset", { class: "checks" }, element("legend", {}, words("duties")), check("administrator_hint", inputs.is_admin), check("auditor_hint", inputs.is_auditor)),
  ].filter(Boolean);
}

const valuesOf = (inputs) => ({
  name: inputs.name.value.trim(), display_name: inputs.display_name.value.trim(), email: inputs.email.value.trim() || null, clearance: inputs.clearance.value,
  is_admin: inputs.is_admin.checked, is_auditor: inputs.is_auditor.checked,
});

/** Resolves to the user that was added, or to null. */
export function addPerson() {
  const inputs = inputsOf({ clearance: "internal", kind: "person", is_admin: false, is_auditor: false });
  return askFor(words("person_add"), fields(inputs, true), {
    submit: words("create"),
    send: () => {
      const body = { ...valuesOf(inputs), kind: inputs.kind.value };
      if (!body.display_name) delete body.display_name;
      return json("/v1/users", { method: "POST", body });
    },
  });
}

/** Sends only what is different; resolves to the user as it is then, or to null. */
export function editPerson(person) {
  const inputs = inputsOf(person);
  return askFor(words("person_change", { name: person.name }), fields(inputs, false), {
    submit: words("save"),
    send: () => {
      const changed = Object.entries(valuesOf(inputs)).filter(([name, value]) => value !== person[name]);
      if (!changed.length) return person;
      return json(`/v1/users/${encodeURIComponent(person.id)}`, { method: "PATCH", body: Object.fromEntries(changed) });
    },
  });
}

/** A new password for somebody; whoever sets its own one says the old one. */
export function setPassword(person, isOwn) {
  const secret = (autocomplete) => element("input", { type: "password", maxLength: 1000, required: autocomplete === "new-password", autocomplete });
  const [old, fresh] = [secret("current-password"), secret("new-password")];
  const nodes = [element("p", { class: "hint" }, words("password_hint")), isOwn ? field(words("password_old"), old) : null, field(words("password_new"), fresh)];
  return askFor(words("password_of", { name: person.name }), nodes.filter(Boolean), {
    submit: words("save"),
    send: async () => {
      const body = { password: fresh.value, ...(isOwn && old.value ? { old_password: old.value } : {}) };
      await call(`/v1/users/${encodeURIComponent(person.id)}/password`, { method: "PUT", body });
    },
  });
}
