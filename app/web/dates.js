/** Dates and times as people write them, in the reader's time zone. */

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function formatDay(text) {
  return day.format(new Date(text));
}

export function formatMoment(text) {
  return moment.format(new Date(text));
}
