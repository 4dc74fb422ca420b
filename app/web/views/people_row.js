/** One person in the list: name, photos with their dates, and what can be done. */

import { button, element } from "../elements.js";
import { formatDay, formatMoment } from "../dates.js";
import { count, percent } from "../rates.js";

/** Returns the list item of an identity. `actions` are rename(person), merge(person), erase(person, template?). */
export function personRow(person, actions, open = false) {
  const { identity, templates, metadata } = person;
  const photos = `${count(templates.length)} ${templates.length === 1 ? "photo" : "photos"}`;
  const latest = templates.at(-1);
  const expired = templates.filter(isExpired).length;
  const tools = [
    button("Rename", () => actions.rename(person), { class: "quiet", "aria-label": `Rename ${identity}` }),
    button("Merge", () => actions.merge(person), { class: "quiet", "aria-label": `Merge ${identity} with another person` }),
    button("Erase", () => actions.erase(person), { class: "quiet erase", "aria-label": `Erase ${identity}` }),
  ];
  return element(
    "li",
    { class: "person-item" },
    element(
      "details",
      { open, "data-identity": identity },
      element(
        "summary",
        { class: "person-summary" },
        element("span", { class: "initial", "aria-hidden": "true" }, [...identity][0].toUpperCase()),
        element(
          "span",
          { class: "person-title" },
          element("span", { class: "name" }, identity),
          element(
            "span",
            { class: "small muted" },
            latest ? `${photos}, ${templates.length === 1 ? "of" : "last"} ${formatDay(latest.created_at)}` : photos,
          ),
        ),
        expired > 0 && element("span", { class: "badge" }, expired === templates.length ? "expired" : `${expired} expired`),
      ),
      element(
        "div",
        { class: "person-more" },
        element("ol", { class: "templates" }, ...templates.map((each, index) => templateItem(person, each, index, actions))),
        metadataList(metadata),
        element("div", { class: "row person-tools" }, ...tools),
      ),
    ),
  );
}

function templateItem(person, template, index, actions) {
  const facts = [`Enrolled ${formatMoment(template.created_at)}`, `quality ${percent(template.quality)}`];
  if (template.expires_at) facts.push(`${isExpired(template) ? "expired" : "expires"} ${formatDay(template.expires_at)}`);
  if (template.consent_ref) facts.push(`consent: ${template.consent_ref}`);
  return element(
    "li",
    { class: "template" },
    element("span", { class: "small" }, facts.join(" · ")),
    person.templates.length > 1 &&
      button("Erase this photo", () => actions.erase(person, template), {
        class: "quiet erase",
        "aria-label": `Erase photo ${index + 1} of ${person.identity}`,
      }),
  );
}

function metadataList(metadata) {
  const entries = Object.entries(metadata ?? {});
  if (entries.length === 0) return null;
  const list = entries.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, typeof value === "string" ? value : JSON.stringify(value)),
  ]);
  return element("dl", { class: "facts" }, ...list);
}

function isExpired(template) {
  return Boolean(template.expires_at) && new Date(template.expires_at) <= new Date();
}
