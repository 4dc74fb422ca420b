/** Changes of a person: rename, merge, erase. Each asks first, and returns a panel that says what was done. */

import { confirmDialog, openDialog } from "../dialogs.js";
import { button, element, field } from "../elements.js";
import { problemPanel } from "../problems.js";
import { count } from "../rates.js";

/** Returns a panel that says what was done, or null if the user cancelled. */
export function renamePerson({ service, gallery }, person) {
  const name = textInput(person.identity);
  return changeDialog(`Rename ${person.identity}`, "Rename", [field("New name", name)], async () => {
    const path = `identities/${encodeURIComponent(person.identity)}`;
    const changed = await service.call("PATCH", path, { query: { gallery }, json: { identity: name.value } });
    return receipt(`${person.identity} is now ${changed.identity}`, changed.erasure);
  });
}

/** Returns a panel that says what was done, or null if the user cancelled. */
export function mergePerson({ service, gallery }, person) {
  const into = textInput("");
  const words = `Do this if both names are the same person. ${person.identity} disappears, and its photos go to the other name.`;
  const content = [element("p", { class: "muted" }, words), field("Name that stays", into)];
  return changeDialog(`Merge ${person.identity} with another person`, "Merge", content, async () => {
    const path = `identities/${encodeURIComponent(person.identity)}/merge`;
    const changed = await service.call("POST", path, { query: { gallery }, json: { into: into.value.trim() } });
    const photos = changed.templates.length;
    return receipt(`${person.identity} is merged into ${changed.identity}, which has ${count(photos)} photos now`, changed.erasure);
  });
}

/** Asks whether to erase a person, or one photo of a person. */
export function confirmErasure(person, template) {
  const photos = person.templates.length;
  if (template) {
    return confirmDialog(`Erase one photo of ${person.identity}?`, ["The other photos stay. This cannot be undone."], "Erase the photo");
  }
  return confirmDialog(
    `Erase ${person.identity}?`,
    [
      `The name, ${count(photos)} ${photos === 1 ? "template" : "templates"} and all that is stored with them are deleted. Nobody will be recognised as ${person.identity} any more.`,
      "This cannot be undone. Backups of the gallery are not touched.",
    ],
    "Erase for good",
  );
}

/** Returns the receipt of an erasure in words. */
export function eraseReceipt(answer, person, when) {
  const photos = count(answer.template_ids.length);
  const templates = answer.template_ids.length === 1 ? "1 template" : `${photos} templates`;
  const title = answer.identities.length ? `${person.identity} is erased` : `One photo of ${person.identity} is erased`;
  return receipt(title, answer.erasure, `${templates} deleted from the gallery ${answer.gallery}, ${when}.`);
}

function receipt(title, erasure, words = null) {
  return element(
    "div",
    { class: "receipt" },
    element("h3", { class: "name" }, title),
    words && element("p", { class: "small" }, words),
    element("p", { class: "small" }, erasure.complete ? "Nothing of it is left in the database’s files." : erasure.detail),
  );
}

function textInput(value) {
  const input = element("input", { type: "text", maxlength: "200", autocomplete: "off", spellcheck: "false", required: true });
  input.value = value;
  return input;
}

/** Opens a form. `change()` sends it and returns the panel; its Problem is shown in the form, which stays open. */
async function changeDialog(title, verb, content, change) {
  const problem = element("div", {});
  const panel = await openDialog(title, (close) =>
    element(
      "form",
      {
        class: "stack",
        onsubmit: async (event) => {
          event.preventDefault();
          try {
            close(await change());
          } catch (error) {
            problem.replaceChildren(problemPanel(error));
          }
        },
      },
      ...content,
      problem,
      element("div", { class: "row" }, button("Cancel", close), element("button", { class: "button primary", type: "submit" }, verb)),
    ),
  );
  return panel ?? null;
}
