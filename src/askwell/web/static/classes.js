// Add, rename, merge, split and retire classes. Each says first how many answers it touches, and can be taken back.
import { api, freshKey, persist } from "./api.js";
import { Changes } from "./changes.js";
import { button, key, make } from "./dom.js";
import { classKey, RESERVED } from "./keys.js";
import { keyName } from "./session.js";
import { count, words } from "./words.js";

const LONGEST = 100;

export class ClassesView {
  title = words.classes_title;

  /** `review` opens the grid of a class; `changed` tells the other tabs. */
  constructor(session, messages, { review, changed }) {
    Object.assign(this, { session, messages, review, changed });
    this.changes = new Changes((change) => this.#undo(change.sequence), () => this.session.state.classes.some((one) => one.retired) && this.#list());
  }

  build(body) {
    this.said = make("div", { class: "said", role: "status" });
    this.form = make("div", { class: "form" });
    this.list = make("tbody", {});
    const head = [words.class_key_field, words.class_name, words.class_answers, words.class_actions].map((name) => make("th", { scope: "col" }, name));
    body.append(make("table", { class: "numbers class-table" }, make("thead", {}, make("tr", {}, head)), this.list), this.form, this.said, this.changes.place);
    this.#list();
    this.changes.load();
    this.#adding();
  }

  #list() {
    this.list.replaceChildren(...this.session.state.classes.map((one) => this.#row(one)));
  }

  #row(one) {
    const action = (kind, form) => button(words[kind], { "aria-label": words[`${kind}_title`](one.name), onclick: () => form.call(this, one) });
    const others = this.session.classes.some((other) => other.id !== one.id);
    const retired = this.changes.retiring(one.id);
    const actions = one.retired
      ? [
          retired?.undoable && button(words.bring_back, { "aria-label": words.bring_back_title(one.name), onclick: () => this.#undo(retired.sequence) }),
          others && action("merge", this.#merging),
        ]
      : [action("rename", this.#renaming), others && action("merge", this.#merging), action("split", this.#splitting), action("retire", this.#retiring)];
    return make(
      "tr",
      { "data-hue": this.session.place(one.id) % 10 },
      make("td", {}, one.key && !one.retired ? key(keyName(one.key)) : "–", make("span", { class: "unseen" }, words.class_key(one.retired ? "" : keyName(one.key)))),
      make("th", { scope: "row" }, one.name, one.retired ? make("small", { class: "quiet" }, ` ${words.class_retired}`) : null, make("small", { class: "quiet narrow" }, words.class_answers_of(one.answers))),
      make("td", {}, count(one.answers)),
      make("td", {}, make("div", { class: "row" }, actions)),
    );
  }

  /** A form with what it touches said above its button; `read` gives the change, or a sentence why it cannot be. */
  #ask({ title, fields, touches, submit, read, cancel = true }) {
    const problem = make("p", { class: "problem", role: "alert" });
    const note = make("p", { class: "quiet" }, touches());
    const send = async (event) => {
      event.preventDefault();
      const change = read();
      problem.textContent = typeof change === "string" ? change : "";
      if (typeof change === "string") return;
      problem.textContent = (await this.#send(change)) ?? "";
    };
    const form = make(
      "form",
      { onsubmit: send, oninput: () => (note.textContent = touches()), novalidate: true },
      make("h3", {}, title),
      make("div", { class: "row" }, fields),
      note,
      problem,
      make("div", { class: "row" }, make("button", { class: "main" }, submit), cancel ? button(words.cancel, { onclick: () => this.#adding() }) : null),
    );
    this.form.replaceChildren(form);
    if (cancel) {
      form.querySelector("input, select, button").focus();
      form.scrollIntoView({ block: "nearest" });
    }
  }

  #adding() {
    const [name, own] = [this.#name(), this.#key()];
    this.#ask({
      title: words.add_title,
      fields: [name.field, own.field],
      touches: () => words.add_touches,
      submit: words.add,
      cancel: false,
      read: () => this.#checked({ kind: "add", name: name.value(), key: own.value() }, null),
    });
  }

  #renaming(one) {
    const [name, own] = [this.#name(one.name), this.#key(one.key ?? "")];
    const changes = () => ({ name: name.value() === one.name ? null : name.value(), key: own.value() === (one.key ?? "") ? null : own.value() });
    this.#ask({
      title: words.rename_title(one.name),
      fields: [name.field, own.field],
      touches: () => words.rename_touches(one.answers),
      submit: words.rename,
      read: () => this.#checked({ kind: "rename", id: one.id, ...changes() }, one),
    });
  }

  #merging(one) {
    const others = this.session.classes.filter((other) => other.id !== one.id);
    const into = make("select", { id: "class-into" }, others.map((other) => make("option", { value: other.id }, other.name)));
    this.#ask({
      title: words.merge_title(one.name),
      fields: [make("label", { for: "class-into" }, words.merge_into), into],
      touches: () => words.merge_touches(one.answers, one.name, this.session.byId(into.value).name),
      submit: words.merge,
      read: () => ({ kind: "merge", id: one.id, into: into.value }),
    });
  }

  #splitting(one) {
    const [name, own] = [this.#name("", words.split_into), this.#key()];
    this.#ask({
      title: words.split_title(one.name),
      fields: [name.field, own.field],
      touches: () => words.split_touches(one.answers, one.name),
      submit: words.split,
      read: () => this.#checked({ kind: "split", id: one.id, name: name.value(), key: own.value() }, null),
    });
  }

  #retiring(one) {
    this.#ask({
      title: words.retire_title(one.name),
      fields: [],
      touches: () => words.retire_touches(one.answers),
      submit: words.retire,
      read: () => ({ kind: "retire", id: one.id }),
    });
  }

  #name(value = "", label = words.class_name) {
    const input = make("input", { id: "class-name", maxlength: LONGEST, autocomplete: "off", spellcheck: "false", value });
    return { field: make("span", { class: "field" }, make("label", { for: "class-name" }, label), input), value: () => input.value.trim() };
  }

  #key(value = "") {
    const input = make("input", { id: "class-key", class: "short", maxlength: 1, autocomplete: "off", spellcheck: "false", value });
    return { field: make("span", { class: "field" }, make("label", { for: "class-key" }, words.class_key_field), input), value: () => input.value.trim().toLowerCase() };
  }

  /** What can be told here before the server is asked; the server checks all of it again. */
  #checked(change, own) {
    const { name, key: wanted } = change;
    if (name === "") return words.name_empty;
    if (change.kind === "rename" && name === null && wanted === null) return words.nothing_changed;
    if (name && /^[=+\-@]/.test(name)) return words.name_bad;
    if (wanted && classKey(wanted) === null) return words.key_bad;
    if (wanted && RESERVED.has(wanted)) return words.key_reserved(wanted);
    const holder = wanted ? this.session.byKey(wanted) : null;
    if (holder && holder.id !== own?.id) return words.key_taken(wanted, holder.name);
    return { ...change, key: change.kind === "rename" ? wanted : wanted || null };
  }

  /** Sends a change; a sentence when it was refused. */
  async #send(change) {
    const idempotency = freshKey();
    const name = change.name ?? this.session.byId(change.id)?.name ?? ""; // as it was: a merged class is not in the new list
    try {
      const reply = await persist(() => api.changeClass({ ...change, idempotency }));
      this.session.adopt(reply.classes);
      this.#done(change, name, reply);
      return null;
    } catch (error) {
      return error.sentence || words.server_gone;
    }
  }

  #done(change, name, { touched, sequence }) {
    const into = this.session.byId(change.into)?.name ?? "";
    const did = change.kind === "rename" && !change.name ? "key" : change.kind;
    this.#list();
    this.changes.load();
    this.#adding();
    this.said.replaceChildren(
      make("p", { class: "row" }, words.class_did[did](name, touched, into), button(words.undo, { onclick: () => this.#undo(sequence) })),
      ...(change.kind === "add" ? [this.#reviews()] : []),
      ...(change.kind === "split" ? [this.#reviews([change.id])] : []),
    );
    this.changed();
  }

  /** Earlier answers that may belong to a new class: unsure ones, and those of "none of these" or of the class it was split from. */
  #reviews(ids = this.session.classes.filter((one) => words.none_of_these.test(one.name)).map((one) => one.id)) {
    const buttons = ids.map((id) => {
      const one = this.session.byId(id);
      return button(words.class_review_one(one.name, one.answers), { onclick: () => this.review(id) });
    });
    buttons.push(button(words.class_review_one(words.unsure.toLowerCase(), this.session.state.kinds?.unsure ?? null), { onclick: () => this.review("unsure") }));
    return make("p", { class: "row" }, words.class_review, buttons);
  }

  async #undo(sequence) {
    const idempotency = freshKey();
    try {
      const reply = await persist(() => api.undoClass(sequence, idempotency));
      this.session.adopt(reply.classes);
      this.#list();
      this.changes.load();
      this.#adding();
      this.said.replaceChildren(make("p", {}, words.class_did.undo()));
      this.changed();
    } catch (error) {
      this.said.replaceChildren(make("p", { role: "alert" }, error.sentence || words.server_gone));
    }
  }
}
