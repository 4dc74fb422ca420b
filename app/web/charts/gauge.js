/** A scale of similarity with the threshold and the score. */

import { element } from "../elements.js";

const LOWEST = -0.2;
const HIGHEST = 1;

/** Returns the gauge; screen readers get it as one sentence. */
export function gauge(score, threshold, passed, label = "Similarity") {
  const words = `${label} ${score.toFixed(3)}, threshold ${threshold.toFixed(3)}: ${passed ? "passes" : "does not pass"}`;
  const marker = element("span", { class: "gauge-score" }, element("b", { class: "number" }, score.toFixed(3)));
  const limit = element("span", { class: "gauge-limit" }, element("span", { class: "number" }, `threshold ${threshold.toFixed(3)}`));
  const above = element("span", { class: "gauge-above" });
  const scale = element(
    "div",
    { class: `gauge ${passed ? "passes" : "fails"}`, role: "img", "aria-label": words },
    element("div", { class: "gauge-bar" }, above),
    limit,
    marker,
    element("span", { class: "gauge-end" }, "different"),
    element("span", { class: "gauge-end last" }, "same"),
  );
  above.style.left = limit.style.left = place(threshold);
  marker.style.left = place(LOWEST);
  requestAnimationFrame(() => requestAnimationFrame(() => (marker.style.left = place(score))));
  return scale;
}

/** Returns a small bar of a similarity with a mark at the threshold. */
export function similarityBar(score, threshold, passed) {
  const filled = element("span", { class: passed ? "bar-fill passes" : "bar-fill" });
  const mark = element("span", { class: "bar-mark" });
  filled.style.width = place(score);
  mark.style.left = place(threshold);
  return element("span", { class: "bar", "aria-hidden": "true" }, filled, mark);
}

function place(similarity) {
  const share = (Math.min(Math.max(similarity, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST);
  return `${(100 * share).toFixed(2)}%`;
}
