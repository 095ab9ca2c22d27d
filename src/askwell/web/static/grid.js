// A class at a glance: many small images at once; the wrong ones are selected and moved with the key of the right class.
import { api, freshKey, imageOf, persist, Refused } from "./api.js";
import { button, key, make } from "./dom.js";
import { meaning } from "./keys.js";
import { keyName } from "./session.js";
import { words } from "./words.js";

const PAGE = 60;
const KINDS = ["unsure", "bad", "skip"];

export class Grid {
  title = words.grid_title;
  #turn = 0;

  constructor(session, messages, changed) {
    Object.assign(this, { session, messages, changed });
    this.of = null;
  }

  /** `of` is a class's id, "unsure", "bad" or "skip"; otherwise what was looked at last, or the first class. */
  build(body, of) {
    const known = [...this.session.classes.map((one) => one.id), ...KINDS];
    this.of = of ?? (known.includes(this.of) ? this.of : known[0]);
    this.select = make("select", { id: "grid-of", onchange: () => this.#show(this.select.value) });
    this.tiles = make("ul", { class: "tiles" });
    this.more = button(words.grid_more, { hidden: true, onclick: () => this.#load() });
    this.said = make("p", { class: "said", role: "status" });
    this.moves = make("div", { class: "row moves", role: "group", "aria-label": words.grid_move });
    body.append(
      make("div", { class: "row head" }, make("label", { for: "grid-of" }, words.grid_choose), this.select, make("p", { class: "quiet" }, words.grid_hint)),
      this.tiles,
      make("p", { class: "row" }, this.more),
      make("div", { class: "foot" }, this.said, this.moves),
    );
    this.tiles.addEventListener("keydown", (event) => this.#arrows(event));
    this.#drawMoves();
    this.#show(this.of);
  }

  key(event) {
    if (event.target.matches("select, input")) return;
    const found = meaning(event, this.session.keys);
    const own = found?.key ? this.session.byKey(found.key) : null;
    const kind = found?.command === "unsure" || found?.command === "bad" ? found.command : null;
    if (!own && !kind) return;
    event.preventDefault();
    this.#move(own ? "label" : kind, own?.id ?? null);
  }

  get #selected() {
    return [...this.tiles.querySelectorAll('[aria-pressed="true"]')];
  }

  #drawMoves() {
    const labels = this.session.classes.map((one) =>
      button("", { onclick: () => this.#move("label", one.id), "data-hue": this.session.place(one.id) % 10 }, one.key ? key(keyName(one.key)) : null, one.name),
    );
    this.moves.replaceChildren(
      ...labels,
      button("", { onclick: () => this.#move("unsure", null) }, key("u"), words.unsure),
      button("", { onclick: () => this.#move("bad", null) }, key("b"), words.bad),
      button(words.grid_clear, { onclick: () => this.#clear() }),
    );
  }

  #drawOptions() {
    const classes = this.session.state.classes.filter((one) => !one.retired || one.answers);
    this.select.replaceChildren(
      ...classes.map((one) => make("option", { value: one.id }, words.grid_option(one.name, one.answers))),
      ...KINDS.map((kind) => make("option", { value: kind }, words.grid_option(words.grid_kinds[kind], this.session.state.kinds ? (this.session.state.kinds[kind] ?? 0) : null))),
    );
    this.select.value = this.of;
  }

  async #show(of) {
    this.of = of;
    this.cursor = null;
    this.#turn += 1;
    this.#drawOptions();
    this.tiles.replaceChildren();
    await this.#load();
  }

  async #load() {
    const turn = this.#turn;
    try {
      const { items, after } = await persist(() => api.items(this.of, this.cursor, PAGE));
      if (turn !== this.#turn) return;
      this.cursor = after ?? null;
      this.more.hidden = this.cursor === null;
      const start = this.tiles.children.length;
      this.tiles.append(...items.map((row, index) => this.#tile(row, start + index + 1)));
      this.tiles.dataset.empty = this.tiles.children.length ? "" : words.grid_none;
      this.#count();
      if (start === 0) this.tiles.querySelector("button")?.focus({ focusVisible: false });
      else this.tiles.children[start]?.firstElementChild.focus();
    } catch (error) {
      this.said.textContent = error.sentence || words.server_gone;
    }
  }

  #tile(row, place) {
    const picture = make("img", { src: imageOf(row.id, "thumb"), alt: "", loading: "lazy", draggable: "false", onerror: () => picture.replaceWith(make("span", { class: "none" }, words.grid_no_picture)) });
    const mark = make("span", { class: "tick", "aria-hidden": "true" }, "✓");
    const tile = button("", { "aria-pressed": "false", "aria-label": words.grid_tile(place, false), "data-id": row.id, onclick: () => this.#toggle(tile) }, picture, mark);
    return make("li", {}, Object.assign(tile, { row, place }));
  }

  #toggle(tile, on = tile.getAttribute("aria-pressed") !== "true") {
    tile.setAttribute("aria-pressed", String(on));
    this.#count();
  }

  #clear() {
    for (const tile of this.#selected) this.#toggle(tile, false);
  }

  #count() {
    this.said.textContent = words.grid_selected(this.#selected.length);
  }

  #arrows(event) {
    const tiles = [...this.tiles.querySelectorAll("button")];
    const at = tiles.indexOf(event.target);
    const columns = getComputedStyle(this.tiles).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: tiles.length - 1 - at }[event.key];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    tiles[at + step]?.focus();
  }

  /** Moves what is selected; an answer that changed meanwhile is left alone and said so. */
  async #move(kind, label) {
    const tiles = this.#selected.length ? this.#selected : [document.activeElement].filter((one) => one?.row);
    const same = kind === "label" ? this.of === label : this.of === kind;
    if (!tiles.length || same) return;
    let [moved, stale, failure] = [0, 0, null];
    for (const tile of tiles) {
      try {
        const body = { id: tile.row.id, kind, label, key: freshKey(), expected_sequence: tile.row.sequence };
        await persist(() => api.edit(body));
        moved += 1;
      } catch (error) {
        if (error instanceof Refused && error.status === 409) stale += 1;
        else failure = error.sentence || words.server_gone;
        if (failure) break;
      }
      this.#removed(tile);
    }
    const name = this.session.nameOf({ kind, label });
    await this.session.load().catch(() => {});
    this.#drawOptions();
    this.said.textContent = [moved ? words.grid_moved(moved, name) : "", stale ? words.grid_stale(stale) : "", failure ?? ""].filter(Boolean).join(" ");
    this.changed();
  }

  #removed(tile) {
    const item = tile.parentElement;
    const next = item.nextElementSibling ?? item.previousElementSibling;
    if (document.activeElement === tile) next?.firstElementChild.focus();
    item.remove();
    this.tiles.dataset.empty = this.tiles.children.length ? "" : words.grid_none;
  }
}
