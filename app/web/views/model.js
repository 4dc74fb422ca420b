/** Model: which errors it makes, how often, and where to set the threshold. */

import { DetChart } from "../charts/det_chart.js";
import { busy, element, field, heading, table } from "../elements.js";
import { oneIn, ofMany, percent, pointAtFmr } from "../rates.js";
import { cardFacts, degradedTable, groupBars, lfwTable } from "./model_tables.js";

const TARGETS = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

export class ModelView {
  title = "Model";

  constructor({ service }) {
    Object.assign(this, { service, shown: false });
    this.content = element("div", { class: "stack view" }, element("div", { class: "card" }, busy("Loading …")));
    this.element = element(
      "div",
      { class: "view" },
      heading("How often is it wrong?", "A threshold decides which similarity is enough. A higher one lets fewer strangers pass, and misses the same person more often."),
      this.content,
    );
  }

  async enter() {
    if (this.shown) return;
    let card;
    try {
      card = await this.service.model();
    } catch (problem) {
      this.content.replaceChildren();
      throw problem;
    }
    this.shown = true;
    this.content.replaceChildren(
      this.thresholdCard(card.calibration),
      section("Operating points", pointsIntroduction(card.calibration), pointsTable(card.calibration)),
      ...groupBars(card.evaluation?.strangers).map((each) => section("By sex and age", ...each)),
      ...degradedTable(card.evaluation?.strangers).map((each) => section("Poor photos", ...each)),
      ...lfwTable(card.evaluation).map((each) => section("On a public test", ...each)),
      section("The model card", cardFacts(card)),
    );
  }

  paste() {}

  thresholdCard({ points, default_fmr: usual, data }) {
    const start = Math.max(points.indexOf(pointAtFmr(points, usual)), 0);
    const chart = new DetChart(points);
    const slider = element("input", { type: "range", min: "0", max: String(points.length - 1), step: "1" });
    slider.value = String(start);
    const threshold = element("output", { class: "number threshold", for: "threshold-slider" });
    slider.id = "threshold-slider";
    const strangers = tile("Strangers who pass (FMR)");
    const missed = tile("Missed matches (FNMR)");
    const worst = element("p", { class: "small muted" });
    const show = () => {
      const point = points[Number(slider.value)];
      threshold.textContent = point.threshold.toFixed(3);
      strangers.show(percent(point.fmr), sentence(ofMany(point.fmr, "pairs of strangers", "passes", "pass")));
      missed.show(percent(point.fnmr), sentence(ofMany(point.fnmr, "pairs of photos of one person", "is missed", "are missed")));
      worst.textContent = point.fmr_worst_group
        ? `In the worst group of adults (${point.worst_group}), ${oneIn(point.fmr_worst_group)} pairs of strangers passes.`
        : "";
      slider.setAttribute(
        "aria-valuetext",
        `threshold ${point.threshold.toFixed(3)}: ${oneIn(point.fmr)} strangers pass, ${percent(point.fnmr)} are missed`,
      );
      chart.choose(Number(slider.value));
    };
    slider.addEventListener("input", show);
    show();
    return element(
      "section",
      { class: "card stack", "aria-labelledby": "threshold-title" },
      element("div", { class: "row spread" }, element("h2", { id: "threshold-title" }, "Try a threshold"), threshold),
      element(
        "div",
        { class: "slider" },
        field("Threshold, from lenient to strict", slider),
        element("div", { class: "row spread small muted", "aria-hidden": "true" }, element("span", {}, "lenient"), element("span", {}, "strict")),
      ),
      element("div", { class: "tiles" }, strangers.element, missed.element),
      chart.element,
      worst,
      element("p", { class: "small muted" }, `Measured on people who trained nothing: ${data}. The band shows the 95 % limits. Your photos may differ.`),
    );
  }
}

function tile(title) {
  const value = element("p", { class: "tile-value number" });
  const words = element("p", { class: "small muted" });
  return {
    element: element("div", { class: "tile" }, element("h3", {}, title), value, words),
    show: (number, sentence) => {
      value.textContent = number;
      words.textContent = sentence;
    },
  };
}

function section(title, ...content) {
  return element("section", { class: "card stack", "aria-label": title }, element("h2", {}, title), ...content);
}

function pointsIntroduction({ default_fmr: usual }) {
  return element(
    "p",
    { class: "muted" },
    `Choose by what a mistake costs. The default lets ${oneIn(usual)} pairs of strangers pass.`,
  );
}

function pointsTable({ points, default_fmr: usual }) {
  const rows = [];
  for (const target of TARGETS) {
    const point = pointAtFmr(points, target);
    if (!point) continue;
    rows.push([
      target === usual ? element("span", {}, oneIn(target), " ", element("span", { class: "badge plain" }, "default")) : oneIn(target),
      point.threshold.toFixed(3),
      percent(point.fnmr),
      point.interval.map(percent).join(" to "),
      point.fmr_worst_group === null ? "not measured" : `${oneIn(point.fmr_worst_group)}, ${point.worst_group}`,
    ]);
  }
  const head = ["Strangers who pass", "Threshold", "Missed matches", "95 % limits of strangers", "Worst group of adults"];
  return table("Operating points", head, rows);
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
