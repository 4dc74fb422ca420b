/** People: who is enrolled, with which photos; rename, merge, erase. */

import { busy, button, element, field, heading } from "../elements.js";
import { formatMoment } from "../dates.js";
import { GalleryChoice } from "../galleries.js";
import { confirmErasure, eraseReceipt, mergePerson, renamePerson } from "./people_changes.js";
import { personRow } from "./people_row.js";
import { problemPanel } from "../problems.js";
import { count } from "../rates.js";

const PAGE = 20;

export class PeopleView {
  title = "People";

  constructor({ service, announce }) {
    Object.assign(this, { service, announce, starts: [null], next: null });
    this.gallery = new GalleryChoice(service, () => this.restart());
    this.filter = element("input", { type: "search", autocomplete: "off", oninput: () => this.filterSoon() });
    this.filterField = field("Names that begin with", this.filter);
    this.filterField.hidden = true;
    this.receipt = element("div", { class: "stack-small" });
    this.list = element("section", { "aria-label": "People", class: "stack" });
    this.total = element("p", { class: "small muted" });
    this.element = element(
      "div",
      { class: "view" },
      heading("People", "Everybody who is enrolled. Photos are not stored, so only their dates are shown. What you erase here is erased for good."),
      element("div", { class: "row people-tools" }, field("Gallery", this.gallery.element), this.filterField, this.total),
      this.receipt,
      this.list,
    );
  }

  async enter() {
    this.receipt.replaceChildren();
    this.filterField.hidden = !(await this.service.offers("get", "/identities", "prefix"));
    await this.restart();
  }

  paste() {}

  filterSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.restart(), 250);
  }

  async restart() {
    this.starts = [null];
    await this.load();
  }

  async load() {
    if (!this.list.firstChild) this.list.replaceChildren(element("div", { class: "card" }, busy("Loading …")));
    const query = {
      gallery: this.gallery.value,
      after: this.starts.at(-1),
      limit: String(PAGE),
      prefix: this.filterField.hidden ? null : this.filter.value,
    };
    try {
      const [page] = await Promise.all([this.service.call("GET", "identities", { query }), this.gallery.load()]);
      this.showPage(page);
    } catch (problem) {
      if (problem.code === "unknown_gallery") return this.showPage({ identities: [], next_after: null });
      this.list.replaceChildren(problemPanel(problem, { retry: () => this.restart() }));
    }
  }

  showPage({ identities, next_after: next }) {
    const summary = this.gallery.summary;
    const people = summary?.identities ?? 0;
    this.total.textContent = `${count(people)} ${people === 1 ? "person" : "people"}, ${count(summary?.templates ?? 0)} ${summary?.templates === 1 ? "photo" : "photos"}`;
    this.next = next;
    if (identities.length === 0) return this.showNobody();
    const opened = new Set([...this.list.querySelectorAll("details[open]")].map((each) => each.dataset.identity));
    const rows = identities.map((each) => personRow(each, this.actions(), opened.has(each.identity)));
    this.list.replaceChildren(
      element("ul", { class: "card people" }, ...rows),
      this.pages(),
    );
  }

  pages() {
    const turn = (change) => {
      change();
      this.load().then(() => this.list.querySelector("summary")?.focus());
    };
    return element(
      "nav",
      { class: "row spread", "aria-label": "Pages", hidden: this.starts.length === 1 && !this.next },
      button("Previous", () => turn(() => this.starts.pop()), { disabled: this.starts.length === 1 }),
      element("span", { class: "small muted" }, `Page ${count(this.starts.length)}`),
      button("Next", () => turn(() => this.starts.push(this.next)), { disabled: !this.next }),
    );
  }

  showNobody() {
    if (this.starts.length > 1) return this.restart();
    const filtered = !this.filterField.hidden && this.filter.value;
    this.list.replaceChildren(
      element(
        "div",
        { class: "card empty" },
        element("h2", {}, filtered ? "Nobody with such a name" : "Nobody is enrolled here yet"),
        element("p", {}, filtered ? "Names are compared as they are written, capitals included." : "Enroll a person from one photo. Then you can find the person on others."),
        !filtered && element("a", { class: "button primary", href: "#enroll" }, "Enroll somebody"),
      ),
    );
  }

  actions() {
    const context = { service: this.service, gallery: this.gallery.value };
    const changed = (panel, words) => {
      if (!panel) return;
      this.receipt.replaceChildren(panel);
      this.announce(words ?? panel.textContent);
      this.load();
      this.receipt.firstChild.setAttribute("tabindex", "-1");
      this.receipt.firstChild.focus();
    };
    return {
      rename: async (person) => changed(await renamePerson(context, person)),
      merge: async (person) => changed(await mergePerson(context, person)),
      erase: async (person, template = null) => {
        if (!(await confirmErasure(person, template))) return;
        const path = `identities/${encodeURIComponent(person.identity)}${template ? `/templates/${encodeURIComponent(template.template_id)}` : ""}`;
        try {
          const receipt = await this.service.call("DELETE", path, { query: { gallery: context.gallery } });
          changed(eraseReceipt(receipt, person, formatMoment(receipt.erased_at)));
        } catch (problem) {
          changed(problemPanel(problem));
        }
      },
    };
  }
}
