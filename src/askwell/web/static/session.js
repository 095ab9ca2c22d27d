// What the server last said about the campaign, asked again every few seconds while somebody looks.
import { api, Refused } from "./api.js";
import { count, words } from "./words.js";

const EVERY = 3000; // ms

export class Session extends EventTarget {
  #changes = 0;
  #timer = null;
  #due = Infinity;

  constructor() {
    super();
    this.state = null;
    document.addEventListener("visibilitychange", () => !document.hidden && this.refresh());
  }

  /** Every class that can be chosen, in the server's order. */
  get classes() {
    return (this.state?.classes ?? []).filter((one) => !one.retired);
  }

  get keys() {
    return new Set(this.classes.map((one) => one.key).filter(Boolean));
  }

  byId(id) {
    return this.state?.classes.find((one) => one.id === id) ?? null;
  }

  byKey(key) {
    return this.classes.find((one) => one.key === key) ?? null;
  }

  /** A class's place among all, for its colour; the same while it exists. */
  place(id) {
    return (this.state?.classes ?? []).findIndex((one) => one.id === id);
  }

  nameOf({ kind, label }) {
    return kind === "label" ? (this.byId(label)?.name ?? words.gone_class) : words.answer_name[kind];
  }

  /** Counts an answer at once (+1, or -1 when it is taken back), before the server does. */
  counted({ kind, label }, by) {
    this.#changes += 1;
    if (!this.state) return;
    if (kind !== "skip") this.state.answers += by; // a skipped image returns
    const found = kind === "label" ? this.byId(label) : null;
    if (found) found.answers += by;
    this.#tell();
  }

  adopt(classes) {
    this.#changes += 1;
    if (classes) this.state.classes = classes;
    this.#tell();
  }

  /** Asks for the state; an answer given meanwhile makes the reply old, so it is asked again. Throws what the API throws. */
  async load() {
    const before = this.#changes;
    const state = await api.state();
    if (this.state && before !== this.#changes) return this.refreshSoon();
    this.state = state;
    this.#tell();
    return undefined;
  }

  async refresh() {
    this.#due = Infinity;
    this.refreshSoon(EVERY);
    if (document.hidden && this.state) return;
    try {
      await this.load();
      this.dispatchEvent(new Event("reached"));
    } catch (error) {
      this.dispatchEvent(new CustomEvent(error instanceof Refused ? "refused" : "away", { detail: error }));
    }
  }

  refreshSoon(after = 800) {
    const due = performance.now() + after;
    if (due >= this.#due) return; // fast answers do not put it off
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.refresh(), after);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

export const keyName = (key) => (key === null || key === undefined || key === "" ? "" : /^[0-9]$/.test(key) ? count(Number(key)) : key.toUpperCase());
