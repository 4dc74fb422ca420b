/** Takes a photo with the camera of this device, in a dialog. */

import { openDialog } from "../dialogs.js";
import { button, element } from "../elements.js";

/** Browsers give a camera only to pages on this machine or over HTTPS. */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Returns a promise of a JPEG file, or of null if the user cancels. */
export async function takePhoto() {
  const video = element("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "What the camera sees" });
  video.muted = true;
  const words = element("p", { class: "muted", role: "status" }, "Your browser asks whether this page may use the camera.");
  let stream = null;
  let closed = false;
  const shutter = button("Take the photo", null, { class: "primary", disabled: true });
  const stop = () => {
    closed = true;
    stream?.getTracks().forEach((track) => track.stop());
  };
  const photo = openDialog(
    "Take a photo",
    (close) => {
      shutter.addEventListener("click", async () => close(await grab(video)));
      return element("div", { class: "stack" }, video, words, element("div", { class: "row" }, button("Cancel", close), shutter));
    },
    { wide: true, onclose: stop },
  );
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
    if (closed) stop();
    video.srcObject = stream;
    await video.play();
    shutter.disabled = false;
    words.textContent = "Look into the camera. Nothing is sent before you take the photo.";
    shutter.focus();
  } catch (error) {
    const denied = error.name === "NotAllowedError";
    words.textContent = denied
      ? "The browser did not allow the camera. Allow it in the address bar, or choose a file instead."
      : "No camera could be used. Choose a file instead.";
  }
  return (await photo) ?? null;
}

async function grab(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  return blob && new File([blob], "camera.jpg", { type: "image/jpeg" });
}
