// One key = answer + next image. An answer is kept first, shown as given second and sent third, so that nothing waits for the server.
import { api, freshKey, persist, Refused, Unreachable } from "./api.js";
import { words } from "./words.js";

const LOOK_SOON = 300; // ms, while the last answers are on their way
const LOOK_AGAIN = 4000; // ms between looks while nothing is left or the server is away
const WITHOUT_PICTURE = new Set(["skip", "unsure", "bad"]);

export class Labelling extends EventTarget {
  #undoing = Promise.resolve();
  #timer = null;
  #pending = 0;

  constructor(parts) {
    super();
    Object.assign(this, parts); // stage, questions, outbox, recent, session, attention, messages, tabs
    this.current = null;
    this.stage.addEventListener("painted", ({ detail: question }) => this.attention.start(question.spent));
  }

  get busy() {
    return this.#pending > 0;
  }

  /** Shows the next image, or says why there is none. */
  async advance() {
    clearTimeout(this.#timer);
    this.current = this.questions.take();
    if (this.current) this.#show();
    else {
      this.stage.empty(words.loading);
      await this.#wait();
    }
  }

  /** Something else is shown for a while: the time already spent on the image to label is kept. */
  setAside() {
    if (this.current && this.stage.painted === this.current) this.current.spent = this.attention.seconds();
  }

  /** The image to label again, after something else was shown. */
  resume() {
    if (this.current) this.#show();
    else this.advance();
  }

  /** `kind` is label (with a class's id), skip, unsure or bad; true when it was taken. */
  answer(kind, label = null) {
    const question = this.current;
    if (!question || this.stage.subject !== question) return false;
    if (this.busy || !this.#answerable(question, kind)) {
      this.messages.say(this.busy ? words.undoing : failed(question) ? words.no_image_to_answer : words.too_early);
      return false;
    }
    const seconds = question.failure === null ? this.attention.seconds() : 0;
    const entry = { id: question.id, key: question.key, kind, label, seconds, former: question.former ?? null };
    this.recent.add(entry, question.picture);
    this.outbox.put(entry);
    if (entry.former) this.session.counted(entry.former, -1);
    this.session.counted(entry, 1);
    this.messages.pass();
    this.messages.announce(words.answered(this.session.nameOf(entry)));
    this.dispatchEvent(new CustomEvent("answered", { detail: entry }));
    this.tabs.tell({ type: "answered", id: entry.id, kind, label });
    this.advance();
    return true;
  }

  /** Takes back the last answer and shows its image; several in a row wait for one another. */
  undo() {
    this.#pending += 1;
    this.#undoing = this.#undoing.then(() => this.#undo()).finally(() => (this.#pending -= 1));
    return this.#undoing;
  }

  /** Another tab answered an item. */
  answeredElsewhere({ id, kind, label }) {
    this.questions.drop(id);
    if (this.current?.id !== id) return;
    this.messages.say(words.answered_elsewhere(this.session.nameOf({ kind, label })));
    const shown = this.stage.subject === this.current;
    if (shown) this.advance();
    else this.current = this.questions.take();
    this.refill();
  }

  /** Leases and loads what is lacking; an answer that the server has taken makes room for one more. */
  async refill() {
    try {
      await this.questions.refill(this.#held());
    } catch (error) {
      this.#trouble(error);
    }
  }

  #answerable(question, kind) {
    if (question.failure !== null) return failed(question) && WITHOUT_PICTURE.has(kind);
    return this.stage.painted === question;
  }

  #held() {
    return [...(this.current ? [this.current.key] : []), ...this.outbox.keys];
  }

  #show() {
    this.stage.show(this.current, words.image_alt);
  }

  async #wait() {
    let sentence = null;
    try {
      await this.questions.refill(this.#held());
      if (this.questions.length) return this.#found();
      sentence = this.questions.reason === null ? words.loading : words.reason(this.questions.reason);
    } catch (error) {
      sentence = this.#trouble(error) ?? words.out_of_images;
    }
    if (this.current) return undefined;
    if (this.stage.subject === null) this.stage.empty(sentence);
    if (sentence !== words.loading) this.#announceOnce(sentence);
    clearTimeout(this.#timer);
    const soon = sentence === words.loading;
    this.#timer = setTimeout(() => this.current === null && this.#wait(), soon ? LOOK_SOON : LOOK_AGAIN);
    return undefined;
  }

  /** Images came while none was shown; somebody who looks back meanwhile is left there. */
  #found() {
    if (this.current) return undefined;
    if (!this.stage.subject?.past) return this.advance();
    this.current = this.questions.take();
    return undefined;
  }

  #announceOnce(sentence) {
    if (this.lastEnd !== sentence) this.messages.announce(sentence);
    this.lastEnd = sentence;
  }

  /** Tells of trouble; the sentence to show where an image would be, if it is not about the connection. */
  #trouble(error) {
    if (error instanceof Refused) {
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
      return error.sentence || words.refused;
    }
    if (!(error instanceof Unreachable)) throw error;
    this.dispatchEvent(new CustomEvent("away", { detail: error }));
    return error.sentence || null;
  }

  async #undo() {
    const last = this.recent.last;
    const unsent = last?.waiting ? this.outbox.take(last.key) : null;
    let row = unsent;
    if (!unsent) {
      row = await this.#undoOnServer();
      if (row === null) return;
    }
    const answer = unsent ?? row.answer ?? last;
    const former = (unsent ? unsent.former : row.current) ?? null; // the answer that counts again
    if (former) this.recent.restore(row.id, former);
    else this.recent.remove(row.id);
    this.session.counted(answer, -1);
    if (former) this.session.counted(former, 1);
    this.setAside();
    if (this.current) this.questions.putBack(this.current);
    this.current = this.questions.revive({ id: row.id, key: row.key, evaluation: row.evaluation, former });
    this.dispatchEvent(new Event("undone"));
    this.tabs.tell({ type: "changed" });
    this.#show();
    const name = this.session.nameOf(answer);
    this.messages.say(former && former.kind !== "skip" ? words.undone_change(name, this.session.nameOf(former)) : words.undone(name));
    this.session.refreshSoon();
  }

  async #undoOnServer() {
    if (!(await this.outbox.settled())) {
      this.messages.say(words.undo_offline);
      return null;
    }
    const key = freshKey();
    try {
      return await persist(() => api.undo(key));
    } catch (error) {
      if (error instanceof Refused) this.messages.say(error.sentence || words.nothing_to_undo);
      else this.messages.say(error.sentence || words.undo_offline);
      return null;
    }
  }
}

/** Whether a question's image cannot be shown, and not for the moment only. */
const failed = ({ failure }) => failure !== null && !failure.passing;
