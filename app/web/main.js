/** Starts the page: one view for each tab, made when it is first opened and kept with what is in it. */

import { Key } from "./key.js";
import { element } from "./elements.js";
import { problemPanel } from "./problems.js";
import { Problem, Service } from "./service.js";
import { CompareView } from "./views/compare.js";
import { EnrollView } from "./views/enroll.js";
import { IdentifyView } from "./views/identify.js";
import { ModelView } from "./views/model.js";
import { PeopleView } from "./views/people.js";

const VIEWS = { compare: CompareView, enroll: EnrollView, identify: IdentifyView, people: PeopleView, model: ModelView };

const main = document.querySelector("#main");
const announcer = document.querySelector("#announcer");
const trouble = element("div", { id: "trouble" });
const made = new Map();
let current = null;

const key = new Key(document.querySelector("#key-button"), () => enter(current));
const service = new Service(
  () => key.value,
  () => key.refuse(),
);

/** Tells screen readers. The text is emptied first, so that the same words are read again. */
function announce(words) {
  announcer.textContent = "";
  setTimeout(() => (announcer.textContent = words), 50);
}

function open(focus) {
  const name = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "compare";
  if (!made.has(name)) made.set(name, new VIEWS[name]({ service, announce }));
  const view = made.get(name);
  if (view === current) return;
  current = view;
  main.replaceChildren(trouble, view.element);
  document.title = `${view.title} · facetwin`;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (focus) {
    scrollTo(0, 0);
    view.element.querySelector("h1").focus();
  }
  enter(view);
}

/** Lets a view fetch what it shows, and says if that fails. */
async function enter(view) {
  trouble.replaceChildren();
  try {
    await view.enter();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (view === current) trouble.replaceChildren(problemPanel(error, { retry: () => enter(view) }));
  }
}

addEventListener("hashchange", () => open(true));

// The link would change the hash, which names the view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// A photo that misses its place must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
  if (file && !document.querySelector("dialog[open]")) current.paste(file);
});

open(false);
