/** Enroll: remember a person by one photo. */

import { busy, button, details, element, field, heading } from "../elements.js";
import { faceFacts, facesInWords, qualityWords } from "../faces.js";
import { LivenessChoice } from "../liveness.js";
import { PhotoField } from "../photos/photo_field.js";
import { noticeList, problemPanel } from "../problems.js";
import { formatDay } from "../dates.js";

export class EnrollView {
  title = "Enroll";

  constructor({ service, announce }) {
    Object.assign(this, { service, announce, attempt: null });
    this.photo = new PhotoField("Photo", () => this.photoChanged());
    this.name = input("text", { name: "identity", maxlength: "200", required: true, placeholder: "Ada Lovelace" });
    this.gallery = input("text", { name: "gallery", maxlength: "64", pattern: "[A-Za-z0-9._\\-]+", required: true });
    this.gallery.value = "default";
    this.consent = input("text", { name: "consent_ref", maxlength: "200", placeholder: "form 2026-117" });
    this.expires = input("date", { name: "expires_at", min: new Date(Date.now() + 86_400_000).toISOString().slice(0, 10) });
    this.liveness = new LivenessChoice();
    this.submit = element("button", { class: "button primary", type: "submit" }, "Enroll");
    this.result = element("section", { "aria-label": "Result" });
    this.form = element(
      "form",
      {
        class: "stack",
        onsubmit: (event) => {
          event.preventDefault();
          this.enroll("reject");
        },
      },
      field("Name", this.name),
      field("Gallery", this.gallery, "People of one gallery are searched together. A new name makes a new gallery."),
      details(
        "Consent and expiry",
        element(
          "div",
          { class: "stack" },
          field("Where the consent is recorded", this.consent, "In many countries you need the person’s consent to store a template."),
          field("Never match this photo after", this.expires),
        ),
      ),
      this.liveness.element,
      element("div", { class: "row" }, this.submit),
      element(
        "p",
        { class: "small muted" },
        "The photo itself is not stored. What is stored is a template: numbers from which the face can be recognised.",
      ),
      this.result,
    );
    this.element = element(
      "div",
      { class: "view" },
      heading("Remember a person", "One good photo is enough: the face upright, sharp and well lit. More photos of the same person help."),
      element("div", { class: "columns" }, this.photo.element, element("div", { class: "card" }, this.form)),
    );
  }

  enter() {}

  paste(file) {
    this.photo.put(file);
  }

  photoChanged() {
    this.attempt = null;
    this.result.replaceChildren();
  }

  async enroll(ifExists) {
    if (!this.photo.file) {
      this.result.replaceChildren(element("p", { class: "notice", role: "alert" }, "Put in a photo of the person first."));
      this.photo.chooser.focus();
      return;
    }
    this.photo.problem.replaceChildren();
    this.submit.disabled = true;
    this.result.replaceChildren(busy("Enrolling …"));
    const fields = {
      identity: this.name.value,
      image: this.photo.file,
      gallery: this.gallery.value,
      if_exists: ifExists,
      liveness: this.liveness.value,
      consent_ref: this.consent.value.trim(),
      expires_at: this.expires.value && new Date(`${this.expires.value}T23:59:59`).toISOString(),
    };
    // The same attempt has the same key: if an answer is lost, sending it again enrolls nobody twice.
    const content = JSON.stringify({ ...fields, image: null });
    if (this.attempt?.content !== content) this.attempt = { content, key: randomKey() };
    try {
      const [answer, card] = await Promise.all([
        this.service.call("POST", "enroll", { fields, headers: { "Idempotency-Key": this.attempt.key } }),
        this.service.model(),
      ]);
      this.showAnswer(answer, card, ifExists);
    } catch (problem) {
      this.showProblem(problem);
    } finally {
      this.submit.disabled = false;
    }
  }

  showProblem(problem) {
    const actions =
      problem.code === "identity_exists"
        ? [
            button("Add this photo", () => this.enroll("add")),
            button("Replace all photos", () => this.enroll("replace"), { class: "quiet erase" }),
          ]
        : [];
    this.result.replaceChildren(problemPanel(problem, { actions }));
  }

  showAnswer(answer, card, ifExists) {
    const { face, identity, gallery, warnings } = answer;
    this.photo.mark([{ ...face, tone: "good" }], facesInWords(face));
    const done = { reject: "is enrolled", add: "has one more photo", replace: "has this photo only" }[ifExists];
    const until = this.expires.value ? ` The photo is never matched after ${formatDay(this.expires.value)}.` : "";
    this.result.replaceChildren(
      element(
        "div",
        { class: "stack" },
        element(
          "div",
          { class: "receipt row enrolled" },
          this.photo.crop(face, card, "The aligned face"),
          element(
            "div",
            {},
            element("h3", { class: "name" }, `${identity} ${done}`),
            element("p", { class: "small" }, `In the gallery ${gallery}.${until}`),
          ),
        ),
        ...noticeList(warnings),
        element(
          "div",
          { class: "row" },
          button("Another photo of the same person", () => this.next(true)),
          button("Somebody else", () => this.next(false)),
        ),
        details("Face", faceFacts(face), element("p", { class: "small muted" }, qualityWords(face))),
      ),
    );
    this.attempt = null;
    this.announce(`${identity} ${done}.`);
  }

  next(same) {
    if (!same) this.name.value = this.consent.value = "";
    this.photo.remove();
  }
}

function input(type, attributes) {
  return element("input", { type, autocomplete: "off", spellcheck: "false", ...attributes });
}

/** Returns 128 random bits as text. crypto.randomUUID is missing from pages without HTTPS. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
