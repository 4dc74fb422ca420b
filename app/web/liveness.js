/** Liveness: whether a face looks like a photo of a photo or of a screen. */

import { element, field } from "./elements.js";

const CHOICES = [
  ["", "Not looked at"],
  ["report", "Say whether it looks live"],
  ["require", "Refuse photos of photos and screens"],
];

/** A choice of what to do about it. `changed()` is called after each change. */
export class LivenessChoice {
  constructor(changed = () => {}) {
    this.select = element("select", { onchange: changed }, ...CHOICES.map(([value, words]) => element("option", { value }, words)));
    this.element = field("Photo of a photo", this.select);
  }

  get value() {
    return this.select.value;
  }
}

/** Returns what the service says of a face, or null if it was not asked. */
export function livenessInWords({ liveness }) {
  if (!liveness) return null;
  const words = liveness.decision === "live" ? "looks live" : "looks like a photo of a photo or screen";
  return `${words} (score ${liveness.score.toFixed(2)}, threshold ${liveness.threshold.toFixed(2)})`;
}
