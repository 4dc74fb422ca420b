/** Identify: which enrolled people does a photo show? */

import { similarityBar } from "../charts/gauge.js";
import { busy, details, element, field, heading } from "../elements.js";
import { faceFacts, qualityWords } from "../faces.js";
import { GalleryChoice } from "../galleries.js";
import { LivenessChoice } from "../liveness.js";
import { PhotoField } from "../photos/photo_field.js";
import { noticeList, problemPanel } from "../problems.js";
import { count, ofMany } from "../rates.js";

const TONES = { match: "good", ambiguous: "warn", unknown: "plain" };

export class IdentifyView {
  title = "Identify";

  constructor({ service, announce }) {
    Object.assign(this, { service, announce, running: null });
    this.photo = new PhotoField("Photo", () => this.identify());
    this.gallery = new GalleryChoice(service, () => this.identify());
    this.liveness = new LivenessChoice(() => this.identify());
    this.result = element("section", { class: "stack", "aria-label": "Result" });
    this.element = element(
      "div",
      { class: "view" },
      heading("Who is on the photo?", "The faces on the photo are compared with everybody in a gallery. Somebody who is not enrolled should stay unknown."),
      element(
        "div",
        { class: "columns" },
        element("div", { class: "stack" }, this.photo.element, field("Gallery", this.gallery.element), this.liveness.element),
        this.result,
      ),
    );
    this.showEmpty();
  }

  async enter() {
    await this.gallery.load();
    if (!this.photo.file) this.showEmpty();
  }

  paste(file) {
    this.photo.put(file);
  }

  showEmpty() {
    const enrolled = this.gallery.summary?.identities ?? 0;
    const words = enrolled
      ? `${count(enrolled)} ${enrolled === 1 ? "person is" : "people are"} enrolled in this gallery. Put in a photo to search them.`
      : "Nobody is enrolled in this gallery yet, so everybody stays unknown.";
    this.result.replaceChildren(
      element(
        "div",
        { class: "card empty" },
        element("h2", {}, enrolled ? "Ready to search" : "An empty gallery"),
        element("p", {}, words),
        !enrolled && element("a", { class: "button", href: "#enroll" }, "Enroll somebody"),
      ),
    );
  }

  async identify() {
    this.running?.abort();
    this.photo.problem.replaceChildren();
    this.photo.mark([], "");
    if (!this.photo.file) return this.showEmpty();
    const run = (this.running = new AbortController());
    this.result.replaceChildren(element("div", { class: "card" }, busy("Searching the gallery …")));
    try {
      const everybody = await this.service.offers("post", "/identify", "faces");
      const fields = { image: this.photo.file, gallery: this.gallery.value, faces: everybody ? "all" : null, liveness: this.liveness.value };
      const [answer, card] = await Promise.all([
        this.service.call("POST", "identify", { fields, signal: run.signal }),
        this.service.model(),
      ]);
      if (!run.signal.aborted) this.showAnswer(answer, card);
    } catch (problem) {
      if (run.signal.aborted) return;
      this.result.replaceChildren(problemPanel(problem, { retry: () => this.identify() }));
    }
  }

  showAnswer(answer, card) {
    const people = peopleOf(answer);
    const marks = people.map((each, index) => ({
      ...each.face,
      tone: TONES[each.decision],
      label: each.identity ?? (people.length > 1 ? `${index + 1}` : null),
    }));
    const names = people.map((each) => each.identity).filter(Boolean);
    const unseen = answer.faces?.length ? 0 : people[0].face.faces_in_photo - 1;
    const summary = names.length ? names.join(", ") : people.length > 1 ? "Nobody who is enrolled" : decisionWords(people[0]);
    this.photo.mark(marks, people.length === 1 ? "One face searched" : `${people.length} faces searched`);
    this.result.replaceChildren(
      ...people.map((each, index) => this.personCard(each, index, people.length, card)),
      unseen > 0 &&
        element("p", { class: "notice" }, `The photo shows ${count(unseen + 1)} faces. Only the largest was searched.`),
      element("p", { class: "small muted" }, searchWords(answer)),
      ...noticeList(people.length === 1 ? [] : (answer.warnings ?? [])),
    );
    for (const each of [...this.result.childNodes]) if (each.nodeType === Node.TEXT_NODE) each.remove();
    this.announce(`${summary}.`);
  }

  personCard(person, index, total, card) {
    const { face, decision, candidates, threshold, warnings } = person;
    const title = decisionWords(person);
    return element(
      "article",
      { class: `card stack-small person ${decision}`, "data-decision": decision },
      element(
        "div",
        { class: "row person-head" },
        this.photo.crop(face, card, total > 1 ? `Face ${index + 1}` : "The aligned face"),
        element(
          "div",
          {},
          element("h2", { class: "name" }, total > 1 && decision !== "match" ? `${index + 1}: ${title}` : title),
          element("p", { class: "small muted" }, explanation(person)),
        ),
      ),
      candidateList(candidates, threshold),
      ...noticeList(warnings ?? []),
      details("Face", faceFacts(face), element("p", { class: "small muted" }, qualityWords(face))),
    );
  }
}

/** Returns what was decided about each face: `faces=all` answers a list, an older service one face. */
function peopleOf(answer) {
  if (!answer.faces?.length) return [answer];
  return answer.faces.map((each) => ({ ...answer, warnings: [], ...each, face: each.face ?? each }));
}

function decisionWords({ decision, identity }) {
  return decision === "match" ? identity : decision === "ambiguous" ? "Two people, too close to choose" : "Unknown";
}

function explanation({ decision, candidates }) {
  if (decision === "match") return `Similarity ${candidates[0].similarity.toFixed(3)}, clearly ahead of everybody else.`;
  if (decision === "ambiguous") return "Several people pass the threshold. Look at the photos, or use a better one.";
  return candidates.length === 0 ? "Nobody is enrolled here." : "Nobody is similar enough.";
}

function candidateList(candidates, threshold) {
  if (candidates.length === 0) return null;
  const rows = candidates.map((each) =>
    element(
      "li",
      { class: "candidate" },
      element("span", { class: "name" }, each.identity),
      similarityBar(each.similarity, threshold, each.above_threshold),
      element("span", { class: "number small" }, each.similarity.toFixed(3)),
      element("span", { class: "visually-hidden" }, each.above_threshold ? "passes" : "does not pass"),
    ),
  );
  return element("ol", { class: "candidates", "aria-label": `Most similar people; the threshold is ${threshold.toFixed(3)}` }, ...rows);
}

function searchWords({ gallery_size: size, expected_fpir: fpir, target_met: met, threshold }) {
  if (!size) return "The gallery holds no template.";
  const searched = `${count(size)} ${size === 1 ? "template was" : "templates were"} searched${threshold === undefined ? "" : `; the threshold is ${threshold.toFixed(3)}`}. `;
  const wrong = `Expect that ${ofMany(fpir, "strangers", "is taken for somebody", "are taken for somebody")}.`;
  const large = met ? "" : " The gallery is too large for the usual rate: let a person check every match.";
  return searched + wrong + large;
}
