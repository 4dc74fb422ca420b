/** A choice among the galleries of the service. */

import { element } from "./elements.js";

const DEFAULT = "default";

export class GalleryChoice {
  /** `changed()` is called after the user chose another one. */
  constructor(service, changed = () => {}) {
    Object.assign(this, { service, galleries: [] });
    this.element = element("select", { onchange: changed });
    this.show([]);
  }

  get value() {
    return this.element.value;
  }

  get summary() {
    return this.galleries.find((each) => each.gallery === this.value) ?? null;
  }

  /** Asks the service for its galleries and keeps the choice. Throws Problem. */
  async load() {
    const { galleries } = await this.service.call("GET", "galleries");
    this.show(galleries);
    return galleries;
  }

  show(galleries) {
    const chosen = this.value;
    this.galleries = galleries;
    const names = galleries.map((each) => each.gallery);
    if (!names.includes(DEFAULT)) names.unshift(DEFAULT);
    this.element.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    this.element.value = names.includes(chosen) ? chosen : DEFAULT;
  }
}
