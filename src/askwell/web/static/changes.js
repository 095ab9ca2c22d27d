// The latest changes of the classes that are in force, each with what takes it back, also after a reload.
import { api } from "./api.js";
import { button, make } from "./dom.js";
import { when, words } from "./words.js";

const SHOWN = 10;

export class Changes {
  /** `undo` takes a change back; `loaded` is called when what the server says has come. */
  constructor(undo, loaded) {
    Object.assign(this, { undo, loaded });
    this.rows = [];
    this.place = make("section", { class: "changes", hidden: true });
  }

  /** The change by which a class is retired, or null. */
  retiring(id) {
    return this.rows.find((change) => change.kind === "retire" && change.id === id) ?? null;
  }

  /** Asks the server; what was shown stays when it cannot be reached. */
  async load() {
    try {
      this.rows = (await api.classChanges()).changes;
    } catch {
      return;
    }
    this.#render();
    this.loaded();
  }

  #render() {
    this.place.hidden = this.rows.length === 0;
    this.place.replaceChildren(
      make("h3", {}, words.changes_title),
      make("ol", { class: "changes-list" }, this.rows.slice(0, SHOWN).map((change) => this.#row(change))),
    );
  }

  #row(change) {
    const said = words.class_changed[change.kind](change);
    return make(
      "li",
      {},
      make("span", {}, said),
      make("span", { class: "quiet" }, when(change.time)),
      change.undoable ? button(words.undo, { "aria-label": words.undo_change(said), onclick: () => this.undo(change) }) : make("span", {}),
    );
  }
}
