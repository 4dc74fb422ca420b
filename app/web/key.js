/** The key that the service may ask for: kept for this tab, until it is closed; never in an address. */

import { button, element, field } from "./elements.js";
import { openDialog } from "./dialogs.js";

const NAME = "facetwin-key";

export class Key {
  /** `control` is the button at the top. `changed()` is called after a new key or none was entered. */
  constructor(control, changed) {
    Object.assign(this, { control, changed });
    control.addEventListener("click", () => this.ask());
    this.show();
  }

  get value() {
    return sessionStorage.getItem(NAME) ?? "";
  }

  /** Marks the button: the service asks for a key. */
  refuse() {
    this.show(true);
  }

  show(asked = false) {
    const words = asked ? "Key needed" : this.value ? "Key is set" : "Key";
    this.control.classList.toggle("set", !asked && this.value !== "");
    this.control.classList.toggle("asked", asked);
    this.control.querySelector("span").textContent = words;
  }

  ask() {
    const input = element("input", { type: "password", autocomplete: "off", spellcheck: "false", name: "key" });
    input.value = this.value;
    const save = (value) => {
      if (value) sessionStorage.setItem(NAME, value);
      else sessionStorage.removeItem(NAME);
      this.show();
      this.changed();
    };
    openDialog("Key of the service", (close) =>
      element(
        "form",
        {
          class: "stack",
          onsubmit: (event) => {
            event.preventDefault();
            close();
            save(input.value.trim());
          },
        },
        element(
          "p",
          { class: "muted" },
          "A service that others can reach asks for a key, as “facetwin keys add” makes one. A service on your own machine usually needs none.",
        ),
        field(
          "Key",
          input,
          "Kept in this browser tab until you close it, and sent only to this service, in a header. It never becomes part of an address, a bookmark or the history.",
        ),
        element(
          "div",
          { class: "row" },
          this.value && button("Forget the key", () => (close(), save("")), { class: "quiet erase" }),
          button("Cancel", close),
          element("button", { class: "button primary", type: "submit" }, "Use this key"),
        ),
      ),
    );
  }
}
