/** Compare: do two photos show the same person? */

import { gauge } from "../charts/gauge.js";
import { busy, button, details, element, field, heading } from "../elements.js";
import { faceFacts, facesInWords, qualityWords } from "../faces.js";
import { LivenessChoice, livenessInWords } from "../liveness.js";
import { PhotoField } from "../photos/photo_field.js";
import { noticeList, problemPanel } from "../problems.js";
import { count, likelihood, oneIn, ofMany, pointAtFmr } from "../rates.js";

const TARGETS = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

export class CompareView {
  title = "Compare";

  constructor({ service, announce }) {
    Object.assign(this, { service, announce, running: null });
    const changed = () => this.compare();
    this.fields = [new PhotoField("First photo", changed), new PhotoField("Second photo", changed)];
    this.strictness = element("select", { onchange: changed }, element("option", { value: "" }, "The model’s default"));
    this.liveness = new LivenessChoice(changed);
    this.result = element("section", { "aria-label": "Result" });
    this.tools = element(
      "div",
      { class: "row spread tools", hidden: true },
      field("Strictness", this.strictness),
      this.liveness.element,
      button("Start over", () => this.reset(), { class: "quiet" }),
    );
    this.element = element(
      "div",
      { class: "view" },
      heading("Do two photos show the same person?", "Put in two photos. The answer says how similar the faces are, and how often an answer like it is wrong."),
      element("div", { class: "columns photos" }, ...this.fields.map((each) => each.element)),
      this.tools,
      this.result,
    );
    this.element.addEventListener("spare-photo", (event) => {
      (this.fields.find((each) => !each.file && each.element !== event.target) ?? this.fields[1]).put(event.detail);
    });
    this.showEmpty();
  }

  async enter() {
    if (this.strictness.options.length > 1) return;
    const card = await this.service.model();
    const { points, default_fmr: usual } = card.calibration;
    for (const target of TARGETS.filter((each) => pointAtFmr(points, each))) {
      const words = `${oneIn(target)} strangers passes`;
      if (target === usual) this.strictness.options[0].textContent = `${words} (default)`;
      else this.strictness.append(element("option", { value: String(target) }, words));
    }
  }

  paste(file) {
    const target = this.fields.find((each) => !each.file) ?? (this.fields.includes(PhotoField.latest) ? PhotoField.latest : this.fields[1]);
    target.put(file);
  }

  reset() {
    for (const each of this.fields) each.clear();
    this.compare();
    this.fields[0].chooser.focus();
  }

  async compare() {
    this.running?.abort();
    for (const each of this.fields) {
      each.problem.replaceChildren();
      each.mark([], "");
    }
    const [first, second] = this.fields;
    this.tools.hidden = !first.file || !second.file;
    if (!first.file || !second.file) return this.showEmpty();
    const run = (this.running = new AbortController());
    this.show(element("div", { class: "card" }, busy("Comparing the two photos …")));
    const fields = { image1: first.file, image2: second.file, target_fmr: this.strictness.value, liveness: this.liveness.value };
    try {
      const [answer, card] = await Promise.all([
        this.service.call("POST", "verify", { fields, signal: run.signal }),
        this.service.model(),
      ]);
      if (!run.signal.aborted) this.showAnswer(answer, card);
    } catch (error) {
      if (!run.signal.aborted) this.showProblem(error);
    }
  }

  show(...content) {
    this.result.replaceChildren(...content);
  }

  showEmpty() {
    const filled = this.fields.filter((each) => each.file).length;
    const words = filled === 1 ? "One more photo, and they are compared." : "As soon as both photos are here, they are compared.";
    this.show(element("p", { class: "muted waiting" }, words));
  }

  showProblem(problem) {
    const at = { image1: this.fields[0], image2: this.fields[1] }[problem.field];
    const panel = problemPanel(problem, { retry: at ? null : () => this.compare(), about: at?.label });
    if (!at) return this.show(panel);
    at.problem.replaceChildren(panel);
    this.show(element("p", { class: "muted waiting" }, `The ${at.spoken} could not be used. Replace it.`));
  }

  showAnswer(answer, card) {
    const { verified, similarity, threshold, faces, warnings } = answer;
    const verdict = verified ? "The same person" : "Not the same person";
    faces.forEach((face, index) => this.fields[index].mark([{ ...face, tone: verified ? "good" : "chosen" }], facesInWords(face)));
    this.show(
      element(
        "div",
        { class: "card stack result" },
        element(
          "div",
          { class: "verdict" },
          this.crops(faces, card),
          element(
            "div",
            { class: "verdict-words" },
            element("h2", { class: verified ? "verdict-title good" : "verdict-title" }, verdict),
            element("p", {}, verdictWords(answer)),
          ),
        ),
        gauge(similarity, threshold, verified),
        element("div", { class: "stack-small" }, ...meaning(answer)),
        ...this.livenessLines(faces),
        ...noticeList(warnings),
        element("div", {}, details("Numbers", ...numbers(answer)), details("Faces", this.faceColumns(faces))),
      ),
    );
    this.result.scrollIntoView({ block: "nearest", behavior: "smooth" });
    this.announce(`${verdict}. Similarity ${similarity.toFixed(2)}, threshold ${threshold.toFixed(2)}.`);
  }

  livenessLines(faces) {
    const judged = faces.map((face, index) => [this.fields[index].label, livenessInWords(face)]).filter(([, words]) => words);
    return judged.map(([label, words]) => element("p", { class: "liveness" }, `${label}: ${words}.`));
  }

  crops(faces, card) {
    const crops = faces.map((face, index) => {
      const each = this.fields[index];
      return each.crop(face, card, `The aligned face of the ${each.spoken}`);
    });
    return element("div", { class: "crops" }, ...crops);
  }

  faceColumns(faces) {
    const columns = faces.map((face, index) =>
      element(
        "div",
        { class: "stack-small" },
        element("h3", {}, this.fields[index].label),
        faceFacts(face),
        element("p", { class: "small muted" }, qualityWords(face)),
      ),
    );
    return element("div", { class: "columns" }, ...columns);
  }
}

function verdictWords({ verified, probability }) {
  const chance = likelihood(probability);
  return verified
    ? `The faces are similar enough. If both answers were equally likely before, the chance that this is one person is ${chance}.`
    : `The faces are not similar enough. If both answers were equally likely before, the chance that this is one person is ${chance}.`;
}

/** Says how often such an answer is wrong; first the mistake that this answer may be. */
function meaning({ verified, operating_point: point }) {
  const strangers = ofMany(point.fmr, "pairs of strangers", "passes here", "pass here");
  const same = ofMany(point.fnmr, "pairs of photos of one person", "does not pass", "do not pass");
  const words = verified ? `${strangers}; ${same}` : `${same} here; ${strangers.replace(" here", "")}`;
  const lines = [element("p", { class: "meaning" }, `How far to trust it: ${words}.`)];
  if (point.fmr_worst_group) {
    const words = `Among strangers of one group of adults it is up to ${oneIn(point.fmr_worst_group)} (${point.worst_group}). Relatives, look-alikes and children pass more often.`;
    lines.push(element("p", { class: "small muted" }, words));
  }
  return lines;
}

function numbers({ similarity, distance, threshold, probability, operating_point: point, model, timings_ms: timings }) {
  const range = ([low, high]) => `${oneIn(high)} to ${oneIn(low)}`;
  const facts = [
    ["Similarity (cosine)", similarity.toFixed(4)],
    ["Distance", distance.toFixed(4)],
    ["Threshold", threshold.toFixed(4)],
    ["Probability at even odds", probability.toFixed(4)],
    ["False matches among strangers", `${oneIn(point.fmr)} (95 % limits: ${range(point.interval)})`],
    ["Missed matches", `${oneIn(point.fnmr)} (95 % limits: ${range(point.fnmr_interval)})`],
    ["Measured on", `${count(point.people)} people, ${count(point.impostor_pairs)} pairs of strangers`],
    ["Model", `${model.name} ${model.version}`],
    ["Time", `${Object.values(timings).reduce((sum, each) => sum + each, 0).toFixed(0)} ms`],
  ];
  const list = facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "number" }, value)]);
  return [element("dl", { class: "facts" }, ...list)];
}
