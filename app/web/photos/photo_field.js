/** A place for one photo: choose a file, drop it, paste it, or take it with the camera. Shows the photo with its faces. */

import { button, element, svg } from "../elements.js";
import { hasCamera, takePhoto } from "./camera.js";
import { adaptTemplate, cropCanvas } from "./alignment.js";
import { drawPhoto } from "./drawing.js";

const ACCEPTED = "image/*,.heic,.heif,.avif,.tif,.tiff,.bmp";

export class PhotoField {
  /** `label` names the photo, as "First photo". `changed(field)` is called after a photo was put in or taken out. */
  constructor(label, changed) {
    Object.assign(this, { label, changed, file: null, image: null, faces: [] });
    this.input = element("input", {
      type: "file",
      accept: ACCEPTED,
      class: "visually-hidden",
      tabindex: "-1",
      "aria-hidden": "true",
      onchange: () => this.put(this.input.files[0]),
    });
    this.canvas = element("canvas", { role: "img", hidden: true });
    this.unseen = element("p", { class: "muted small photo-unseen", hidden: true });
    this.state = element("p", { class: "photo-state small muted" });
    this.problem = element("div", { class: "stack-small" });
    this.zone = element(
      "div",
      { class: "drop-zone", ondragover: (event) => this.hover(event), ondragleave: () => this.zone.classList.remove("over") },
      this.invitation(),
      this.canvas,
      this.unseen,
    );
    this.zone.addEventListener("drop", (event) => this.drop(event));
    this.tools = element(
      "div",
      { class: "row photo-tools", hidden: true },
      this.state,
      element(
        "span",
        { class: "row photo-buttons" },
        button("Replace", () => this.input.click(), { class: "quiet", "aria-label": `Replace the ${this.spoken}` }),
        button("Remove", () => this.remove(), { class: "quiet", "aria-label": `Remove the ${this.spoken}` }),
      ),
    );
    this.element = element(
      "section",
      { class: "photo-field", "aria-label": label, onfocusin: () => (PhotoField.latest = this) },
      element("h2", { class: "photo-label" }, label),
      this.zone,
      this.tools,
      this.problem,
      this.input,
    );
    new ResizeObserver(() => this.draw()).observe(this.zone);
  }

  get spoken() {
    return this.label.charAt(0).toLowerCase() + this.label.slice(1);
  }

  invitation() {
    this.chooser = button("Choose a photo", () => this.input.click(), {
      class: "primary",
      "aria-label": `Choose the ${this.spoken}`,
    });
    const shoot = async () => this.put(await takePhoto());
    return element(
      "div",
      { class: "invitation" },
      svg(
        "svg",
        { viewBox: "0 0 48 48", "aria-hidden": "true" },
        svg("path", { d: "M6 14V9a3 3 0 0 1 3-3h5M34 6h5a3 3 0 0 1 3 3v5M42 34v5a3 3 0 0 1-3 3h-5M14 42H9a3 3 0 0 1-3-3v-5" }),
        svg("circle", { cx: "24", cy: "20", r: "6" }),
        svg("path", { d: "M12.5 36c1-5.5 5.5-8.5 11.5-8.5s10.5 3 11.5 8.5" }),
      ),
      element(
        "div",
        { class: "row invitation-buttons" },
        this.chooser,
        hasCamera() && button("Take a photo", shoot, { "aria-label": `Take the ${this.spoken} with the camera` }),
      ),
      element("p", { class: "small muted" }, "or drop it here, or paste it"),
    );
  }

  hover(event) {
    event.preventDefault();
    this.zone.classList.add("over");
  }

  drop(event) {
    event.preventDefault();
    event.stopPropagation();
    this.zone.classList.remove("over");
    const [first, ...others] = event.dataTransfer.files;
    if (first) this.put(first);
    if (others.length > 0) this.element.dispatchEvent(new CustomEvent("spare-photo", { bubbles: true, detail: others[0] }));
  }

  /** Puts a photo in. A format that the browser cannot show is kept, because the service may read it. */
  async put(file) {
    this.input.value = "";
    if (!file) return;
    this.clear();
    this.file = file;
    const image = await createImageBitmap(file).catch(() => null);
    if (this.file !== file) return;
    this.image = image;
    this.zone.classList.add("filled");
    this.zone.firstChild.hidden = true;
    this.canvas.hidden = !image;
    this.unseen.hidden = Boolean(image);
    this.unseen.textContent = `${file.name} cannot be shown by this browser. The service may read it all the same.`;
    this.tools.hidden = false;
    this.describe("");
    this.draw();
    this.changed(this);
  }

  remove() {
    this.clear();
    this.changed(this);
    this.chooser.focus();
  }

  clear() {
    Object.assign(this, { file: null, image: null, faces: [] });
    this.zone.classList.remove("filled");
    this.zone.firstChild.hidden = false;
    this.canvas.hidden = this.unseen.hidden = this.tools.hidden = true;
    this.problem.replaceChildren();
  }

  /** Marks faces, as drawPhoto takes them, and says in words what is marked. */
  mark(faces, words) {
    this.faces = faces;
    this.describe(words);
    this.draw();
  }

  describe(words) {
    this.state.textContent = words;
    this.canvas.setAttribute("aria-label", words ? `${this.label}: ${words}` : this.label);
  }

  draw() {
    if (this.image) drawPhoto(this.canvas, this.image, this.faces);
  }

  /** Returns the aligned crop of a face, or null where the browser cannot show the photo. */
  crop(face, card, label) {
    if (!this.image) return null;
    const template = adaptTemplate(card.serving_template ?? card.template, face.landmarks, card.alignment);
    const canvas = cropCanvas(this.image, face.landmarks, template, card.crop_size);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    canvas.className = "crop";
    return canvas;
  }
}

/** The field that had the focus last: pasted photos go there. */
PhotoField.latest = null;
