// The classes with their keys and counts, and skip, unsure, bad image and undo.
import { find, key, make } from "./dom.js";
import { keyName } from "./session.js";
import { count, words } from "./words.js";

const MOST_IN_A_ROW = 8;
const PRESSED = 160; // ms that an answered button looks pressed

export class Buttons {
  #drawn = "";

  /** `act` takes ("label", class id), ("skip"), ("unsure"), ("bad") or ("undo"). */
  constructor(session, lookBack, act) {
    this.session = session;
    this.lookBack = lookBack;
    this.act = act;
    this.commands = this.#commands();
    session.addEventListener("change", () => this.render());
    lookBack.addEventListener("change", () => this.render());
  }

  /** Shows for a moment what was answered. */
  flash({ kind, label }) {
    const pressed = kind === "label" ? find("classes").querySelector(`[data-class="${CSS.escape(label)}"]`) : this.commands[kind];
    pressed?.classList.add("pressed");
    setTimeout(() => pressed?.classList.remove("pressed"), PRESSED);
  }

  render() {
    const classes = this.session.classes;
    const shape = JSON.stringify(classes.map(({ id, name, key: own }) => [id, name, own]));
    if (shape !== this.#drawn) this.#draw(classes);
    this.#drawn = shape;
    const past = this.lookBack.entry;
    for (const one of classes) {
      const button = find("classes").querySelector(`[data-class="${CSS.escape(one.id)}"]`);
      button.querySelector(".count").textContent = count(one.answers);
      button.setAttribute("aria-label", `${words.class_hint(one.name, one.answers)}, ${words.class_key(keyName(one.key))}`);
      mark(button, past?.kind === "label" && past.label === one.id);
    }
    for (const kind of ["skip", "unsure", "bad"]) mark(this.commands[kind], past?.kind === kind);
    this.commands.skip.title = words.skip_hint(this.session.state?.skip_gap);
  }

  #draw(classes) {
    const row = find("classes");
    row.dataset.many = String(classes.length > 12);
    const rows = Math.ceil(classes.length / MOST_IN_A_ROW);
    row.style.setProperty("--columns", Math.max(1, Math.ceil(classes.length / Math.max(1, rows)))); // rows of equal length
    row.replaceChildren(...classes.map((one) => this.#class(one)));
    if (!classes.length) row.append(make("p", { class: "quiet" }, words.no_classes));
  }

  #class(one) {
    return make(
      "button",
      { type: "button", class: "class", "data-class": one.id, "data-hue": this.session.place(one.id) % 10, title: one.name, onclick: () => this.act("label", one.id) },
      one.key ? key(keyName(one.key)) : null,
      make("span", { class: "name" }, one.name),
      make("span", { class: "count" }),
    );
  }

  #commands() {
    const keys = { skip: words.space, unsure: "u", bad: "b", undo: words.backspace };
    const made = Object.entries(keys).map(([kind, name]) => [
      kind,
      make("button", { type: "button", class: "command", "data-command": kind, title: words[`${kind}_hint`], onclick: () => this.act(kind) }, make("span", {}, words[kind]), key(name)),
    ]);
    find("commands").append(...made.map(([, button]) => button));
    return Object.fromEntries(made);
  }
}

function mark(button, chosen) {
  if (chosen) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}
