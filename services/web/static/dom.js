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

/**
 * Draw anew what is in `container`, and keep the focus on the control with the same `data-focus` (`action` or
 * `action-thing`); where that is gone, on another one of the same thing, or on the container.
 */
export function redraw(container, ...nodes) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  container.replaceChildren(...nodes);
  if (!focused) return;
  const controls = [...container.querySelectorAll("[data-focus]")];
  const thing = focused.slice(focused.indexOf("-"));
  const found = controls.find((node) => node.dataset.focus === focused) ?? controls.find((node) => node.dataset.focus.endsWith(thing));
  if (!found) container.tabIndex = -1;
  (found ?? container).focus();
}

/** A button; `properties.class` is quiet if left out. */
export const button = (text, onclick, properties = {}) => element("button", { type: "button", class: "quiet", onclick, ...properties }, text);
