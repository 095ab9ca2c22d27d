// The last answers, oldest first: the strip of ten thumbnails, and as many before them as somebody looks back at.
import { api, imageOf } from "./api.js";
import { find, key, make } from "./dom.js";
import { keyName } from "./session.js";
import { words } from "./words.js";

const SHOWN = 10;
const MOST = 200; // that the server gives at once
const THUMB = 112; // pixels: twice the size on the page, for fine screens

export class Recent extends EventTarget {
  #changes = 0;

  constructor(session) {
    super();
    this.session = session;
    this.entries = [];
    this.chosen = null;
    this.onchoose = () => {};
    this.list = find("strip");
    session.addEventListener("change", () => this.render());
  }

  get last() {
    return this.entries.at(-1) ?? null;
  }

  /**
   * The server's last answers, followed by those that are on their way; asked again when some were given meanwhile. While somebody looks
   * back, the ones before them stay. Throws what the API throws.
   */
  async load(unsent) {
    const before = this.#changes;
    const { answers } = await api.history(this.chosen ? Math.min(MOST, Math.max(SHOWN, this.entries.length)) : SHOWN);
    if (before !== this.#changes) return this.load(unsent);
    const known = new Map(this.entries.map((entry) => [entry.id, entry]));
    const kept = (row, now) => Object.assign(known.get(row.id) ?? { thumb: null }, row, now); // the same object, also for who looks back at it
    const oldest = answers.at(-1)?.sequence ?? 0;
    const older = this.chosen ? this.entries.filter(({ sequence }) => sequence !== null && sequence < oldest) : [];
    const rows = [...answers].reverse().map((row) => kept(row, { waiting: false }));
    const waiting = unsent().map((entry) => kept(entry, { sequence: null, waiting: true }));
    this.entries = newestOfEach([...older, ...rows, ...waiting]);
    this.render();
    this.dispatchEvent(new Event("loaded"));
    return undefined;
  }

  /** Ten answers before the first known one; false when there are none. */
  async older() {
    const first = this.entries.find((entry) => entry.sequence !== null);
    const { answers } = await api.history(SHOWN, first?.sequence);
    const ids = new Set(this.entries.map((entry) => entry.id));
    const rows = answers.filter((row) => !ids.has(row.id)).reverse();
    this.entries.unshift(...rows.map((row) => ({ ...row, thumb: null, waiting: false })));
    return rows.length > 0;
  }

  add(entry, picture) {
    this.#changes += 1;
    this.entries = this.entries.filter((one) => one.id !== entry.id);
    this.entries.push({ ...entry, sequence: null, waiting: true, thumb: snapshot(picture) });
    this.render();
  }

  sent(sentKey, sequence) {
    this.#changes += 1;
    const entry = this.entries.find((one) => one.key === sentKey);
    if (!entry) return;
    Object.assign(entry, { sequence, waiting: false });
    this.render();
  }

  change(entry, changes) {
    this.#changes += 1;
    Object.assign(entry, changes);
    this.render();
  }

  /** An answer was taken back, and the former one counts again. */
  restore(id, former) {
    const entry = this.entries.find((one) => one.id === id);
    if (entry) this.change(entry, { ...former, waiting: former.sequence === null || former.sequence === undefined });
  }

  remove(id) {
    this.#changes += 1;
    this.entries = this.entries.filter((entry) => entry.id !== id);
    this.render();
  }

  /** Marks the entry that is looked at, or none. */
  choose(entry) {
    this.chosen = entry;
    this.render();
  }

  render() {
    const shown = this.entries.slice(-SHOWN);
    const kept = new Map([...this.list.children].map((item) => [item.entry, item]));
    const items = shown.map((entry) => kept.get(entry) ?? this.#item(entry));
    items.forEach((item, index) => this.#refresh(item, shown.length - index));
    if (items.length !== this.list.children.length || items.some((item, index) => this.list.children[index] !== item))
      this.list.replaceChildren(...items);
    this.list.dataset.empty = shown.length ? "" : words.strip_empty;
  }

  #item(entry) {
    const label = make("span", { class: "label" });
    const none = () => {
      button.classList.add("bare"); // no image to show: the answer's word alone
      thumb.remove();
    };
    const thumb = entry.thumb ?? make("img", { src: imageOf(entry.id, "thumb"), alt: "", loading: "lazy", draggable: "false", onerror: none });
    const button = make("button", { type: "button", onclick: () => this.onchoose(item.entry) }, thumb, label);
    const item = make("li", {}, button);
    return Object.assign(item, { entry, button, label });
  }

  #refresh({ entry, button, label }, place) {
    const name = this.session.nameOf(entry);
    const found = entry.kind === "label" ? this.session.byId(entry.label) : null;
    label.replaceChildren(...[found?.key ? key(keyName(found.key)) : null, make("span", {}, name)].filter(Boolean));
    button.setAttribute("aria-label", words.strip_item(name, place) + (entry.waiting ? `, ${words.strip_waiting}` : ""));
    button.title = name;
    button.classList.toggle("waiting", entry.waiting);
    button.dataset.hue = found ? this.session.place(found.id) % 10 : "none";
    button.dataset.id = entry.id;
    if (entry === this.chosen) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function newestOfEach(entries) {
  const latest = new Map();
  for (const entry of entries) {
    latest.delete(entry.id);
    latest.set(entry.id, entry);
  }
  return [...latest.values()];
}

/** A small copy of a picture that is already here, so that the strip asks the server for nothing. */
function snapshot(picture) {
  if (!picture?.naturalWidth) return null;
  const canvas = make("canvas", { width: THUMB, height: THUMB, "aria-hidden": "true" });
  const side = Math.min(picture.naturalWidth, picture.naturalHeight);
  const [left, top] = [(picture.naturalWidth - side) / 2, (picture.naturalHeight - side) / 2];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = side > THUMB;
  context.drawImage(picture, left, top, side, side, 0, 0, THUMB, THUMB);
  return canvas;
}
