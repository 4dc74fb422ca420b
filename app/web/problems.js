/** Shows an error where it happened: what it is, what the service says, and what to do on this page. */

import { button, element } from "./elements.js";

// What to do here, where the service's own words speak of the API or do not say.
const ADVICE = {
  unreachable: ["The service cannot be reached", "Check that it still runs and that you are connected, then try again."],
  unauthorized: ["The service asks for a key", "Press “Key” at the top and enter one of the service’s keys."],
  forbidden: ["The key may not do this", "Press “Key” at the top and enter one that may, or choose another gallery."],
  foreign_request: ["The service refuses this page", "Open the page at the service’s own address, as http://127.0.0.1:8000/."],
  no_face_found: ["No face was found", "Use a photo in which a face is upright, well lit and not covered."],
  several_faces: ["The photo shows several faces", "Use a photo with one face, or cut the others off."],
  unrecognizable_face: ["The face can hardly be recognised", "Use a sharper, brighter photo of the whole face without a mask."],
  low_quality: ["The photo is too poor", "Use a better photo."],
  unsupported_image: ["This is no photo that the service reads", "Use a JPEG, PNG, WebP, BMP, TIFF, GIF or HEIC file."],
  corrupt_image: ["The file is damaged", "Save or copy the photo again, or use another one."],
  empty_image: ["The file is empty", "Choose another file."],
  image_too_large: ["The photo is too large", "Reduce it and try again."],
  photo_too_expensive: ["The photo takes too long to read", "Save it as an ordinary JPEG and try again."],
  identity_exists: ["This name is taken", "Add the photo to that person, replace the person’s photos, or choose another name."],
  unknown_identity: ["This person is not enrolled any more", "Load the list again."],
  unknown_gallery: ["This gallery is empty", "Enroll somebody first."],
  encoder_mismatch: ["The gallery was made by another model", "Choose another gallery."],
  target_unsupported: ["This strictness is not supported", "Choose a less strict one."],
  overloaded: ["The service is busy", "Try again in a moment."],
  rate_limited: ["Too many requests", "Wait a little, then try again."],
  not_ready: ["The service is not ready yet", "Try again in some seconds."],
  gallery_unavailable: ["The gallery cannot be used at present", "Try again in some seconds."],
  malformed_request: ["The service could not read this", "Correct what it names and try again."],
};
const REFUSED = ["The service could not do this", "Change what it names and try again."];
const FAILED = ["Something went wrong", "Try again. If it happens again, tell the operator the request id."];

/** Returns the panel of a Problem. `retry` and `actions` become buttons. */
export function problemPanel(problem, { retry = null, actions = [], about = null } = {}) {
  const [title, advice] = ADVICE[problem.code] ?? (problem.status < 500 ? REFUSED : FAILED);
  const all = [...actions, retry && button("Try again", retry)].filter(Boolean);
  return element(
    "div",
    { class: "problem", role: "alert", "data-code": problem.code },
    element("h3", {}, about ? `${about}: ${title.charAt(0).toLowerCase()}${title.slice(1)}` : title),
    element("p", {}, problem.message),
    element("p", {}, element("strong", {}, "What to do: "), advice),
    problem.requestId && !ADVICE[problem.code] && element("p", { class: "small muted" }, `Request id ${problem.requestId}`),
    all.length > 0 && element("div", { class: "row" }, ...all),
  );
}

/** Returns a box for each warning of an answer, or nothing. */
export function noticeList(warnings) {
  return warnings.map((each) =>
    element("p", { class: "notice", "data-code": each.code }, element("strong", {}, "Note: "), each.message),
  );
}
