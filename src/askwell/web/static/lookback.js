// Looking back at given answers, and changing one: a key changes the answer that is shown and brings the image to label back.
import { api, freshKey, persist, Refused, Unreachable } from "./api.js";
import { pictureOf } from "./questions.js";
import { words } from "./words.js";

export class LookBack extends EventTarget {
  constructor({ labelling, stage, recent, outbox, session, messages, tabs }) {
    super();
    Object.assign(this, { labelling, stage, recent, outbox, session, messages, tabs });
    this.entry = null;
    recent.onchoose = (entry) => this.look(entry);
    labelling.addEventListener("undone", () => this.#end());
    recent.addEventListener("loaded", () => this.#reread());
  }

  get active() {
    return this.entry !== null;
  }

  async back() {
    const entries = this.recent.entries;
    let place = this.active ? entries.indexOf(this.entry) : entries.length;
    if (place === 0) place = await this.#older();
    if (place > 0) this.look(this.recent.entries[place - 1]);
    else this.messages.say(words.no_further_back);
  }

  forward() {
    if (!this.active) return;
    const next = this.recent.entries[this.recent.entries.indexOf(this.entry) + 1];
    if (next) this.look(next);
    else this.leave();
  }

  look(entry) {
    this.labelling.setAside();
    this.entry = entry;
    document.body.dataset.mode = "back";
    this.recent.choose(entry);
    this.messages.pass();
    this.#say();
    this.stage.show(Object.assign(pictureOf(entry.id), { past: entry }), words.image_alt_back);
  }

  leave() {
    if (!this.active) return;
    this.#end();
    this.labelling.resume();
    this.messages.announce(words.back_again);
  }

  /** Gives the shown image another answer; refused softly when it changed meanwhile, is still on its way, or is not painted yet. */
  async change(kind, label = null) {
    const entry = this.entry;
    if (this.stage.painted?.past !== entry) return this.messages.say(this.stage.subject?.failure ? words.no_image_to_change : words.too_early);
    const before = { kind: entry.kind, label: entry.label };
    if (before.kind === kind && before.label === label) return this.leave();
    const done = entry.waiting ? this.#changeUnsent(entry, kind, label) : await this.#changeSent(entry, kind, label);
    if (!done) return undefined;
    this.session.counted(before, -1);
    this.session.counted({ kind, label }, 1);
    this.tabs.tell({ type: "changed" });
    this.leave();
    return this.messages.say(words.changed(this.session.nameOf(before), this.session.nameOf({ kind, label })));
  }

  /** Says which answer the image has now. */
  #say() {
    const place = this.recent.entries.length - this.recent.entries.indexOf(this.entry);
    this.messages.stand("back", `${words.looking_back(this.session.nameOf(this.entry), place)}. ${words.looking_back_how}`, "mode");
    this.dispatchEvent(new Event("change"));
  }

  /** The answers were asked for anew: the one looked at may be another by now, or taken back. */
  #reread() {
    if (!this.active) return;
    if (this.recent.entries.includes(this.entry)) this.#say();
    else {
      this.leave();
      this.messages.say(words.gone_elsewhere);
    }
  }

  #end() {
    this.entry = null;
    delete document.body.dataset.mode;
    this.recent.choose(null);
    this.messages.clear("back");
    this.dispatchEvent(new Event("change"));
  }

  async #older() {
    const before = this.recent.entries.length;
    try {
      await this.recent.older();
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
    }
    return this.recent.entries.length - before;
  }

  #changeUnsent(entry, kind, label) {
    const unsent = this.outbox.take(entry.key);
    if (!unsent) {
      this.messages.say(words.edit_waits);
      return false;
    }
    this.recent.change(entry, { kind, label });
    this.outbox.put({ id: unsent.id, key: unsent.key, kind, label, seconds: unsent.seconds, former: unsent.former });
    return true;
  }

  async #changeSent(entry, kind, label) {
    const body = { id: entry.id, kind, label, key: freshKey(), expected_sequence: entry.sequence };
    try {
      const { sequence } = await persist(() => api.edit(body));
      this.recent.change(entry, { kind, label, sequence });
      return true;
    } catch (error) {
      if (error instanceof Unreachable) this.messages.say(error.sentence || words.edit_offline);
      else if (error instanceof Refused) await this.#stale(entry, error);
      else throw error;
      return false;
    }
  }

  async #stale(entry, error) {
    if (error.status !== 409) return this.messages.say(error.sentence || words.refused);
    await this.recent.load(() => this.outbox.entries).catch(() => {});
    const now = this.recent.entries.find((one) => one.id === entry.id);
    if (now) this.look(now);
    else this.leave();
    return this.messages.say(words.stale_edit);
  }
}
