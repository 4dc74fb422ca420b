/** A face in words. */

import { element } from "./elements.js";
import { livenessInWords } from "./liveness.js";
import { percent } from "./rates.js";

const POSES = [
  ["yaw", "turned", "to the right of the photo", "to the left of the photo"],
  ["pitch", "looking", "up", "down"],
  ["roll", "tilted", "clockwise", "counter-clockwise"],
];

/** Returns "1 face found", or which of several was used. */
export function facesInWords(face) {
  const many = face.faces_in_photo;
  return many === 1 ? "One face found" : `${many} faces found; the largest is used`;
}

/** Returns a list of what was measured of a face. */
export function faceFacts(face) {
  const { quality, pose } = face;
  const facts = [
    ["Quality", percent(quality.score)],
    ["Recognisability", quality.recognizability === null ? "not measured" : quality.recognizability.toFixed(2)],
    ["Chance that it is a face", percent(face.detection_score)],
    ["Pose", poseInWords(pose)],
  ];
  const live = livenessInWords(face);
  if (live) facts.push(["Liveness", live]);
  if (face.rotation) facts.push(["Photo turned by", `${face.rotation}°`]);
  return element(
    "dl",
    { class: "facts" },
    ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", { class: "number" }, value)]),
  );
}

/** Returns what is wrong with a photo, in the service's words. */
export function qualityWords(face) {
  const reasons = face.quality.reasons.map((each) => (typeof each === "string" ? each : (each.message ?? each.code)));
  return reasons.length === 0 ? "Nothing is wrong with the photo." : `${capitalize(reasons.join("; "))}.`;
}

function poseInWords(pose) {
  const words = POSES.filter(([angle]) => Math.abs(pose[angle]) >= 5).map(
    ([angle, verb, positive, negative]) => `${verb} ${Math.abs(pose[angle]).toFixed(0)}° ${pose[angle] > 0 ? positive : negative}`,
  );
  return words.length === 0 ? "frontal and upright" : words.join(", ");
}

function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
