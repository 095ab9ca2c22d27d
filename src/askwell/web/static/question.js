// What the machine has to ask once (may it fetch the weights of a network?): a small bar that keeps nobody from labelling.
import { api } from "./api.js";
import { button, find, make } from "./dom.js";
import { words } from "./words.js";

export class MachineQuestion {
  #shown = null;

  constructor(session) {
    this.session = session;
    this.bar = find("question");
    session.addEventListener("change", () => this.#render());
  }

  #render() {
    const question = this.session.state?.question ?? null;
    if ((question?.id ?? null) === this.#shown) return;
    this.#shown = question?.id ?? null;
    this.bar.hidden = question === null;
    if (question === null) return;
    this.problem = make("span", { role: "alert" });
    this.bar.replaceChildren(
      make("span", {}, question.sentence),
      button(question.yes, { class: "main", onclick: () => this.#reply(question, "yes") }),
      button(question.no, { onclick: () => this.#reply(question, "no") }),
      this.problem,
    );
  }

  async #reply(question, answer) {
    try {
      await api.reply(question.id, answer);
      this.bar.hidden = true;
      this.session.refreshSoon(0);
    } catch (error) {
      this.problem.textContent = error.sentence || words.server_gone;
    }
  }
}
