/** Modal dialogs: the browser's own, which keep the focus and close with Escape. */

import { button, element } from "./elements.js";

let count = 0;

/** Opens a dialog. `build(close)` returns its content. Returns a promise of the value that it is closed with. */
export function openDialog(title, build, { wide = false, onclose = null } = {}) {
  return new Promise((done) => {
    let result;
    const heading = element("h2", { id: `dialog-${(count += 1)}` }, title);
    const dialog = element("dialog", { "aria-labelledby": heading.id, class: wide ? "wide" : null });
    const close = (value) => {
      result = value instanceof Event ? undefined : value;
      dialog.close();
    };
    dialog.append(element("div", { class: "stack" }, heading, build(close)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      onclose?.();
      done(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks for a yes. Returns a promise of true or false; Escape is no. */
export async function confirmDialog(title, words, yes) {
  const answer = await openDialog(title, (close) =>
    element(
      "div",
      { class: "stack" },
      ...words.map((each) => element("p", {}, each)),
      element(
        "div",
        { class: "row" },
        button("Cancel", () => close(false), { autofocus: true }),
        button(yes, () => close(true), { class: "danger" }),
      ),
    ),
  );
  return answer === true;
}
