// One line for what the person should know, calm and never over the image: what stands (the server is away) stays, what passes gives way to it.
import { find } from "./dom.js";
import { words } from "./words.js";

const DISMISSABLE = new Set(["news", "loss"]);
const PASSES = 9000; // ms

export class Messages {
  #standing = new Map();
  #dismissed = new Set();
  #passing = null;
  #timer = null;

  constructor() {
    this.line = find("message");
    this.text = find("message-text");
    this.close = find("message-close");
    this.close.textContent = words.dismiss;
    this.close.addEventListener("click", () => this.#dismiss());
  }

  /** A sentence that goes by itself, or with the next one. */
  say(sentence) {
    this.#passing = sentence;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.pass(), PASSES);
    this.announce(sentence);
    this.#render();
  }

  /** The passing sentence has been overtaken. */
  pass() {
    this.#passing = null;
    this.#render();
  }

  /** A sentence that stays until `clear(name)`; `kind` is "mode", "trouble", or "news" and "loss", which a person may dismiss. */
  stand(name, sentence, kind = "trouble") {
    if (this.#standing.get(name)?.sentence === sentence || this.#dismissed.has(sentence)) return;
    this.#standing.delete(name);
    this.#standing.set(name, { sentence, kind });
    this.announce(sentence);
    this.#render();
  }

  clear(name) {
    if (this.#standing.delete(name)) this.#render();
  }

  /** For screen readers only. */
  announce(sentence) {
    const place = find("announcer");
    place.textContent = "";
    setTimeout(() => (place.textContent = sentence), 30); // the same sentence twice is read twice
  }

  #dismiss() {
    const [name, shown] = [...this.#standing].at(-1) ?? [];
    if (shown?.kind === "news") this.#dismissed.add(shown.sentence);
    this.#standing.delete(name);
    find("stage").focus({ preventScroll: true });
    this.#render();
  }

  #render() {
    const standing = [...this.#standing.values()].at(-1);
    const passing = this.#passing !== null;
    this.text.textContent = passing ? this.#passing : (standing?.sentence ?? "");
    this.line.dataset.kind = passing ? "passing" : (standing?.kind ?? "none");
    this.close.hidden = passing || !DISMISSABLE.has(standing?.kind);
  }
}
