// The server's answers as plain objects. It refuses (Refused, 4xx, with a sentence) or cannot be reached now (Unreachable).
const PATIENCE = 15_000; // ms until a silent server counts as gone; a busy machine may take seconds

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
    this.sentence = sentence;
  }
}

export class Unreachable extends Error {
  /** `sentence` is the server's own (a full disk, say), or empty when nothing was heard from it. */
  constructor(sentence = "") {
    super(sentence || "unreachable");
    this.sentence = sentence;
  }
}

async function sentenceOf(response) {
  try {
    const { error } = await response.json();
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}

async function request(path, { method = "GET", body, keepalive = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      cache: "no-store",
      redirect: "error",
      keepalive,
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.ok) return await response.json();
  } catch {
    throw new Unreachable();
  }
  const sentence = await sentenceOf(response);
  if (response.status >= 500 || response.status === 429) throw new Unreachable(sentence);
  throw new Refused(response.status, sentence);
}

const post = (path, body, options = {}) => request(path, { method: "POST", body, ...options });

function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

export const api = {
  state: () => request("/api/state"),
  next: (have) => request(query("/api/next", { have: have.join(",") })),
  answer: (body, options) => post("/api/answers", body, options),
  undo: (key) => post("/api/undo", { key }),
  edit: (body) => post("/api/answers/edit", body),
  history: (limit, before) => request(query("/api/history", { limit, before })),
  items: (of, after, limit) => request(query("/api/items", { class: of, after, limit })),
  item: (id) => request(`/api/items/${id}`),
  guess: (id) => request(`/api/items/${id}/guess`),
  changeClass: (body) => post("/api/classes", body),
  classChanges: () => request("/api/classes/changes"),
  undoClass: (sequence, idempotency) => post("/api/classes/undo", { sequence, idempotency }),
  release: () => post("/api/release", {}),
  reply: (id, answer) => post("/api/question", { id, answer }),
};

export const imageOf = (id, size) => `/api/images/${id}?size=${size}`;

/** Asks again, with the same key, while the server cannot be reached: for changes that carry an idempotency key. */
export async function persist(call, tries = 3) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Unreachable) || attempt >= tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300 * attempt));
    }
  }
}

/** A fresh idempotency key; `crypto.randomUUID` exists on secure origins only, which a private address is not. */
export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
