// Answers on their way: each is kept in the browser's storage under its own name until the server has it, so that neither a reload,
// a lost reply nor another tab can lose or double one. The server takes the same key twice without counting it twice.
import { api, Refused, Unreachable } from "./api.js";

const WAITS = [400, 800, 1500, 3000, 6000, 10_000]; // ms between tries while the server is away
const ABOUT_THE_ANSWER = new Set([400, 404, 409, 410, 422]); // sent again as it is, it would be refused again
const ORPHANED = 20_000; // ms after which a closed tab's unsent answers are sent by any other one

export class Outbox extends EventTarget {
  #mine = []; // what this tab sends, oldest first
  #busy = false;
  #failures = 0;
  #timer = null;

  /** `owner` names campaign and annotator, so that two campaigns on one port never mix. */
  constructor(owner, storage = localStorageOrNothing()) {
    super();
    this.prefix = `askwell:unsent:${owner}:`;
    this.storage = storage;
    this.kept = storage !== null;
    this.stopped = false; // true once the server has refused this browser itself
    this.#adopt(0);
    addEventListener("online", () => this.retry());
    addEventListener("pagehide", () => this.#flush());
    setInterval(() => this.#adopt(ORPHANED), ORPHANED);
  }

  get size() {
    return this.#mine.length;
  }

  /** What waits, oldest first. */
  get entries() {
    return [...this.#mine];
  }

  get keys() {
    return this.#mine.map((entry) => entry.key);
  }

  get away() {
    return this.#failures > 0;
  }

  /** Keeps an answer, then sends it when its turn comes. */
  put(entry) {
    const full = { ...entry, queued: Date.now(), attempted: false };
    this.#write(full);
    this.#mine.push(full);
    this.#changed();
    this.#pump();
  }

  /** Takes an answer back that was never sent; null when it may have reached the server. */
  take(key) {
    const entry = this.#mine.find((one) => one.key === key);
    if (!entry || entry.attempted) return null;
    this.#drop(entry);
    this.#changed();
    return entry;
  }

  /** Resolves to true once nothing waits, to false when the server is away or `patience` ms have passed. */
  async settled(patience = 4000) {
    const until = performance.now() + patience;
    while (this.size && !this.away && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 15));
    return this.size === 0;
  }

  retry() {
    clearTimeout(this.#timer);
    this.stopped = false;
    this.#pump();
  }

  async #pump() {
    if (this.#busy || this.stopped) return;
    this.#busy = true;
    while (this.#mine.length && !this.stopped) {
      const entry = this.#mine[0];
      if (!(await this.#send(entry))) break;
      this.#drop(entry);
      this.#changed();
    }
    this.#busy = false;
  }

  /** True when the entry is dealt with, for good or ill. */
  async #send(entry) {
    entry.attempted = true;
    this.#write(entry);
    try {
      const reply = await api.answer(bodyOf(entry));
      if (this.#failures) this.#tell("back");
      this.#failures = 0;
      this.#tell("sent", { entry, reply });
      return true;
    } catch (error) {
      return this.#failed(entry, error);
    }
  }

  #failed(entry, error) {
    if (error instanceof Unreachable) {
      const wait = WAITS[Math.min(this.#failures, WAITS.length - 1)];
      this.#failures += 1;
      this.#timer = setTimeout(() => this.#pump(), wait);
      this.#tell("away", { sentence: error.sentence });
      this.#changed();
      return false;
    }
    if (!(error instanceof Refused)) throw error;
    if (!ABOUT_THE_ANSWER.has(error.status)) {
      this.stopped = true; // it is about this browser or the way to the server: the answer is kept
      this.#tell("refused", { sentence: error.sentence });
      return false;
    }
    this.#failures = 0;
    this.#tell(error.status === 409 ? "conflict" : "rejected", { entry, sentence: error.sentence });
    return true;
  }

  /** The page goes away: what can still be sent is sent without waiting; the rest stays in storage. */
  #flush() {
    for (const entry of this.#mine.slice(0, 10)) api.answer(bodyOf(entry), { keepalive: true }).catch(() => {});
  }

  #write(entry) {
    try {
      this.storage?.setItem(this.prefix + entry.key, JSON.stringify(entry));
    } catch {
      this.kept = false; // storage is full or blocked: the answer waits in memory, and the page says so
    }
  }

  #drop(entry) {
    this.#mine = this.#mine.filter((one) => one !== entry);
    try {
      this.storage?.removeItem(this.prefix + entry.key);
    } catch {
      this.kept = false;
    }
  }

  #adopt(age) {
    const known = new Set(this.keys);
    const found = unsent(this.storage, this.prefix).filter(
      (entry) => !known.has(entry.key) && Date.now() - entry.queued >= age,
    );
    if (!found.length) return;
    this.#mine = [...found, ...this.#mine].sort((a, b) => a.queued - b.queued);
    this.#changed();
    this.#pump();
  }

  #changed() {
    this.#tell("change");
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const bodyOf = ({ id, key, kind, label, seconds }) => ({ id, key, kind, label, seconds });

function localStorageOrNothing() {
  try {
    localStorage.setItem("askwell:probe", "1");
    localStorage.removeItem("askwell:probe");
    return localStorage;
  } catch {
    return null;
  }
}

function unsent(storage, prefix) {
  const found = [];
  for (let index = 0; storage && index < storage.length; index += 1) {
    const name = storage.key(index);
    if (!name.startsWith(prefix)) continue;
    try {
      found.push(JSON.parse(storage.getItem(name)));
    } catch {
      storage.removeItem(name); // not one of ours
    }
  }
  return found.sort((a, b) => a.queued - b.queued);
}
