// Making elements. Text only ever becomes text: nothing here or elsewhere parses markup.

/** An element; `properties` are set on it, `class`, `role`, `aria-*` and `data-*` as attributes; children are nodes or strings. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in node && !name.includes("-")) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Characters `start` to `end` of a text, counted as Unicode code points, as the server counts them. */
export const slice = (characters, start, end) => characters.slice(Math.max(0, start), end).join("");

/** Draw anew what is in `container`, and keep the focus on the control with the same `data-focus`. */
export function redraw(container, ...nodes) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  container.replaceChildren(...nodes);
  if (focused) [...container.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === focused)?.focus();
}

/** A button; `properties.class` is quiet if left out. */
export const button = (text, onclick, properties = {}) => element("button", { type: "button", class: "quiet", onclick, ...properties }, text);
