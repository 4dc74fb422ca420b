/** The parts of the model card that a bundle may lack. Each returns a list: of one section's content, or empty. */

import { element, table } from "../elements.js";
import { count, oneIn, percent } from "../rates.js";

/** Rates among strangers of one group, at the default threshold. */
export function groupBars(strangers) {
  if (!strangers?.groups) return [];
  const groups = Object.entries(strangers.groups).sort(([, first], [, second]) => second.fmr - first.fmr);
  const highest = Math.log10(groups[0][1].fmr);
  const lowest = Math.log10(Math.min(...groups.map(([, each]) => each.fmr).filter((fmr) => fmr > 0))) - 0.3;
  const rows = groups.map(([name, { fmr, people, pairs, adults }]) => {
    const fill = element("span", { class: adults ? "group-fill" : "group-fill child" });
    fill.style.width = `${Math.max(fmr > 0 ? (100 * (Math.log10(fmr) - lowest)) / (highest - lowest) : 0, 1).toFixed(1)}%`;
    return [
      name,
      element("span", { class: "group-bar", "aria-hidden": "true" }, fill),
      oneIn(fmr),
      count(people),
      count(pairs),
    ];
  });
  return [
    [
      element(
        "p",
        { class: "muted" },
        `Strangers of one group resemble each other more than strangers at random. Rates at the default threshold ${strangers.threshold.toFixed(3)}, among people who chose no threshold. Do not use it to tell children apart.`,
      ),
      table("Strangers who pass, by group", ["Group", "Rate, logarithmic", "Strangers who pass", "People", "Pairs"], rows),
    ],
  ];
}

/** Rates and refusals on photos made worse, by set of people. */
export function degradedTable(strangers) {
  if (!strangers?.degraded) return [];
  const sets = Object.keys(strangers.degraded);
  const kinds = [...new Set(Object.values(strangers.degraded).flatMap(Object.keys))];
  const cells = (rates) => (rates ? [oneIn(rates.fmr), percent(rates.refused)] : ["–", "–"]);
  const rows = kinds.map((kind) => [kind, ...sets.flatMap((set) => cells(strangers.degraded[set][kind]))]);
  const head = ["Photo", ...sets.flatMap((set) => [`Strangers who pass, ${set}`, "refused"])];
  return [
    [
      element("p", { class: "muted" }, "A face that can hardly be recognised is refused. The others must keep the promise, too."),
      table("Poor photos", head, rows),
    ],
  ];
}

/** Rates on every pair of the people of LFW who trained nothing. */
export function lfwTable(evaluation) {
  const pairs = evaluation?.all_pairs;
  if (!pairs?.tar_at_fmr) return [];
  const rows = Object.entries(pairs.tar_at_fmr)
    .sort(([first], [second]) => Number(second) - Number(first))
    .map(([fmr, { value, interval }]) => [oneIn(Number(fmr)), percent(value), interval ? interval.map(percent).join(" to ") : ""]);
  return [
    [
      element(
        "p",
        { class: "muted" },
        `Labeled Faces in the Wild: ${count(pairs.people)} people who trained nothing, ${count(pairs.genuine_pairs)} pairs of one person and ${count(pairs.impostor_pairs)} of strangers. Computed by ${evaluation.command}.`,
      ),
      table("Labeled Faces in the Wild", ["Strangers who pass", "Same person accepted", "95 % limits"], rows),
    ],
  ];
}

/** Who made the model, of what, and what serves it. */
export function cardFacts(card) {
  const { training = {}, serving_on: serving } = card;
  const facts = [
    ["Name", `${card.name} ${card.version}`],
    ["Learned from", training.data],
    ["Started from", training.started_from],
    ["Licence of the data", training.licence],
    ["People in training", training.people?.training && count(training.people.training)],
    ["Photos in training", training.photos?.training && count(training.photos.training)],
    ["Thresholds from", card.calibration.data],
    ["Computed by", [training.command, card.calibration.command].filter(Boolean).join("; ")],
    ["Numbers in a template", count(card.embedding_dim)],
    ["Face detector", card.serving_detector],
    ["Encoder id", card.encoder_id],
    ["Runs on", serving && `${serving.device}, ${serving.processor}, ${serving.instruction_set}`],
  ];
  const list = facts
    .filter(([, value]) => value)
    .flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "name" }, String(value))]);
  return element("dl", { class: "facts wide" }, ...list);
}
