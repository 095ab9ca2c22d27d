// The images to come: up to ten are leased ahead, loaded and decoded, so that the next one is there the moment a key is pressed.
import { api, imageOf } from "./api.js";

const AHEAD = 10; // that wait behind the one on the page; the server leases eleven to one person
const LOADS = 3; // at once, so that an answer never queues behind images for one of the browser's six connections
const RENEW = 600_000; // ms after which leases are asked for again, so that a long look or a sleep does not lose them
const KEPT_DECODED = 4; // the browser may let go of a picture's pixels; these are asked for again when their turn is near

export class Questions {
  #waiting = [];
  #loading = 0;
  #asking = null;
  #asked = 0;
  #seen = new Set();

  constructor() {
    this.reason = null; // why there is nothing left, once the server has said so; the last answers may still be on their way to it
  }

  get length() {
    return this.#waiting.length;
  }

  get keys() {
    return this.#waiting.map((question) => question.key);
  }

  /** The next question, or null; its picture may still be loading (`ready` resolves then). */
  take() {
    const question = this.#waiting.shift() ?? null;
    for (const near of this.#waiting.slice(0, KEPT_DECODED)) if (near.loaded) near.picture.decode().catch(() => {});
    this.#load();
    return question;
  }

  /** Puts a question back to the front: it was shown, and something else is shown before it. */
  putBack(question) {
    this.#waiting.unshift(question);
  }

  /** A question that came back by undo, with its picture on the way. */
  revive(row) {
    this.drop(row.id);
    this.#seen.add(row.key);
    const question = prepared(row);
    this.#start(question);
    return question;
  }

  /** Forgets an item that was answered elsewhere. */
  drop(id) {
    this.#waiting = this.#waiting.filter((question) => question.id !== id);
  }

  /** An answer was not taken, so its question may come again. */
  forget(key) {
    this.#seen.delete(key);
  }

  /** Leases more when few wait or the leases grow old; `held` are keys that are shown or not sent yet. Throws what the API throws. */
  async refill(held) {
    if (this.#asking) return this.#asking;
    if (this.length >= AHEAD && Date.now() - this.#asked < RENEW) return undefined;
    this.#asking = this.#ask(held).finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #ask(held) {
    this.#asked = Date.now();
    const reply = await api.next([...new Set([...held, ...this.keys])]);
    const rows = reply.items ?? [];
    const ids = new Set(this.#waiting.map((question) => question.id));
    for (const row of rows) {
      if (this.#seen.has(row.key) || ids.has(row.id)) continue;
      this.#seen.add(row.key);
      this.#waiting.push(prepared(row));
    }
    this.reason = rows.length || this.length ? null : (reply.reason ?? null);
    this.#load();
  }

  #load() {
    for (const question of this.#waiting) {
      if (this.#loading >= LOADS) return;
      if (!question.started) this.#start(question);
    }
  }

  #start(question) {
    question.started = true;
    this.#loading += 1;
    question.load().finally(() => {
      this.#loading -= 1;
      this.#load();
    });
  }
}

function prepared(row) {
  const picture = Object.assign(new Image(), { decoding: "sync" }); // painted together with the rest, never a frame later
  const question = { ...row, picture, started: false, loaded: false, failure: null };
  question.ready = new Promise((resolve) => {
    question.load = async () => {
      question.failure = await loaded(picture, imageOf(row.id, "view"));
      question.loaded = question.failure === null;
      resolve(question);
    };
  });
  return question;
}

/** A picture by itself, for looking back; resolves like a question's. */
export function pictureOf(id) {
  const question = prepared({ id });
  question.load();
  return question;
}

/** Loads and decodes; null, or {sentence, passing} for a failure that is the image's own or (passing) the connection's or the folder's. */
async function loaded(picture, address) {
  picture.src = address;
  try {
    await picture.decode();
    return null;
  } catch {
    return whyNot(address);
  }
}

/** An image element does not say why it failed, so the server is asked for its sentence. */
async function whyNot(address) {
  try {
    const response = await fetch(address, { cache: "no-store" });
    if (response.ok) return { sentence: "", passing: false };
    return { sentence: (await response.json()).error ?? "", passing: response.status >= 500 || response.status === 401 };
  } catch {
    return { sentence: "", passing: true };
  }
}
