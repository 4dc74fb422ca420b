/** Builds elements. Text is always text: nothing on this page is parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Returns an element. `attributes` may hold `on…` listeners; false, null and undefined leave an attribute out.
 * Children are nodes, texts or null.
 */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Returns an icon of 24 units drawn by one path. */
export function icon(path) {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));
}

export function button(label, onclick, attributes = {}) {
  const { class: kind = "", ...others } = attributes;
  return element("button", { type: "button", class: `button ${kind}`.trim(), onclick, ...others }, label);
}

let ids = 0;

/** Returns a control with its label and, if given, a hint that screen readers read with it. */
export function field(label, control, hint = null) {
  control.id ||= `field-${(ids += 1)}`;
  const words = hint && element("span", { class: "hint", id: `${control.id}-hint` }, hint);
  if (words) control.setAttribute("aria-describedby", words.id);
  return element("div", { class: "field" }, element("label", { for: control.id }, label), control, words);
}

export function details(summary, ...children) {
  return element("details", {}, element("summary", {}, summary), ...children);
}

/** Returns a table in a frame that scrolls sideways, by keyboard too. `rows` hold a heading and further cells. */
export function table(caption, head, rows) {
  const titles = head.map((title) => element("th", { scope: "col" }, title));
  const body = rows.map(([heading, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, heading), ...cells.map((each) => element("td", {}, each))),
  );
  return element(
    "div",
    { class: "table-frame", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` },
    element(
      "table",
      {},
      element("caption", { class: "visually-hidden" }, caption),
      element("thead", {}, element("tr", {}, ...titles)),
      element("tbody", {}, ...body),
    ),
  );
}

/** Returns the title of a view, which gets the focus when the view opens, and its first sentences. */
export function heading(title, lead) {
  return element("div", {}, element("h1", { tabindex: "-1" }, title), element("p", { class: "lead" }, lead));
}

export function busy(words) {
  return element("p", { class: "busy" }, words);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
