/** Calls the service that sent this page. The key travels in a header, never in an address. */

/** An error of the service (RFC 9457), or of the way to it (`unreachable`). */
export class Problem extends Error {
  constructor({ code, detail, status = 0, field = null, errors = [], request_id: requestId = null, retryAfter = null }) {
    super(detail);
    Object.assign(this, { code, status, field, errors, requestId, retryAfter });
  }
}

export class Service {
  /** `key()` returns the key or "". `onRefused()` is called when the service asks for another key. */
  constructor(key, onRefused) {
    Object.assign(this, { key, onRefused, described: null, card: null });
  }

  /** Sends a request and returns its JSON. `fields` become a form, with files as files. Throws Problem, AbortError. */
  async call(method, path, { query = {}, fields = null, json = null, headers = {}, signal = null } = {}) {
    const url = new URL(path, document.baseURI);
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    const key = this.key();
    const sent = key ? { ...headers, Authorization: `Bearer ${key}` } : { ...headers };
    if (json) sent["Content-Type"] = "application/json";
    let answer;
    try {
      const body = fields ? form(fields) : json && JSON.stringify(json);
      answer = await fetch(url, { method, headers: sent, body, signal, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ code: "unreachable", detail: "The service did not answer." });
    }
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content;
    if (answer.status === 401) this.onRefused();
    throw new Problem({
      code: "unknown",
      detail: `The answer was ${answer.status} ${answer.statusText}.`,
      ...content,
      status: answer.status,
      retryAfter: answer.headers.get("Retry-After"),
    });
  }

  /** Returns the model card, which is fetched once. */
  async model() {
    this.card ??= await this.call("GET", "model");
    return this.card;
  }

  /** Says whether a field of a route exists in this version of the service. Without /openapi.json, nothing is known. */
  async offers(method, path, name) {
    this.described ??= this.call("GET", "openapi.json").catch(() => null);
    const description = await this.described;
    const operation = (description?.paths?.[path] ?? description?.paths?.[`/v1${path}`])?.[method];
    if (!operation) return false;
    if ((operation.parameters ?? []).some((each) => each.name === name)) return true;
    const body = operation.requestBody?.content?.["multipart/form-data"]?.schema;
    return name in (resolve(description, body)?.properties ?? {});
  }
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === undefined || value === "") continue;
    if (value instanceof Blob) data.append(name, value, "photo");
    else data.append(name, value);
  }
  return data;
}

function resolve(description, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? description.components?.schemas?.[name] : schema;
}
