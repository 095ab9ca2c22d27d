// What is hidden until asked for, beside the image: the model's guess with why this image is asked, and the file's name.
import { api, Refused } from "./api.js";
import { find, make } from "./dom.js";
import { decimal, percent, when, words } from "./words.js";

const MOST_CLASSES = 8; // likeliest first

export class Side {
  #turn = 0;

  constructor(stage, session, pressed) {
    this.session = session;
    this.pressed = pressed; // tells the switches: (name, on)
    this.subject = null;
    this.guessOn = false;
    this.infoOn = false;
    stage.addEventListener("subject", ({ detail }) => this.#subject(detail));
  }

  toggleGuess() {
    this.guessOn = !this.guessOn;
    this.#render();
  }

  toggleInfo() {
    this.infoOn = !this.infoOn;
    this.#render();
  }

  /** A name can give the class away, so it hides again with every new image; the guess stays as it was switched. */
  #subject(question) {
    if (question?.id !== this.subject?.id) this.infoOn = false;
    this.subject = question;
    this.#render();
  }

  #render() {
    this.#turn += 1;
    this.pressed("guess", this.guessOn);
    this.pressed("info", this.infoOn);
    find("side").hidden = !this.guessOn && !this.infoOn;
    find("guess").hidden = !this.guessOn;
    find("info").hidden = !this.infoOn;
    fill("guess", words.guess_title); // nothing of another image stays behind, not even out of sight
    fill("info", words.info_title);
    if (this.subject && this.guessOn) this.#guess(this.#turn);
    if (this.subject && this.infoOn) this.#info(this.#turn);
  }

  async #guess(turn) {
    const quiet = (text) => fill("guess", words.guess_title, make("p", { class: "quiet" }, text));
    if (this.subject.evaluation && !this.subject.past) return quiet(words.guess_hidden);
    quiet(words.guess_loading);
    try {
      const guess = await api.guess(this.subject.id);
      return turn === this.#turn ? fill("guess", words.guess_title, ...this.#guessed(guess)) : undefined;
    } catch (error) {
      return turn === this.#turn ? quiet(sentenceFor(error)) : undefined;
    }
  }

  #guessed(guess) {
    const likeliest = [...guess.probabilities].sort((a, b) => b.mean - a.mean).slice(0, MOST_CLASSES);
    const parts = likeliest.length
      ? [make("ul", { class: "bars" }, likeliest.map((one) => this.#bar(one))), make("p", { class: "quiet" }, words.guess_of(guess.model_round))]
      : [make("p", { class: "quiet" }, words.guess_none)];
    if (guess.why) parts.push(make("h3", {}, words.why_title), make("p", {}, guess.why));
    const kinds = Object.keys(words.uncertainty).filter((kind) => Number.isFinite(guess[kind]));
    if (kinds.length)
      parts.push(
        make("h3", {}, words.uncertainty_title, make("small", {}, ` ${words.uncertainty_unit}`)),
        make("dl", { class: "facts" }, kinds.flatMap((kind) => [make("dt", {}, words.uncertainty[kind]), make("dd", {}, decimal(guess[kind]))])),
        make("p", { class: "quiet" }, words.uncertainty_note),
      );
    return parts;
  }

  #bar({ class: id, mean, low, high }) {
    const bar = make("span", { class: "fill" });
    const range = make("span", { class: "range" });
    bar.style.width = `${100 * mean}%`;
    const spread = Number.isFinite(low) && Number.isFinite(high) ? words.guess_range(low, high) : ""; // kept of ranked images only
    if (spread) {
      range.style.left = `${100 * low}%`;
      range.style.width = `${100 * (high - low)}%`;
    }
    return make(
      "li",
      { "data-hue": this.session.place(id) % 10, ...(spread && { title: spread }) },
      make("span", { class: "name" }, this.session.byId(id)?.name ?? words.gone_class),
      make("span", { class: "value" }, percent(mean), spread && make("span", { class: "unseen" }, `, ${spread}`)),
      make("span", { class: "track", "aria-hidden": "true" }, bar, spread && range),
    );
  }

  async #info(turn) {
    fill("info", words.info_title, make("p", { class: "quiet" }, words.info_loading));
    try {
      const { name, time } = await api.item(this.subject.id);
      if (turn !== this.#turn) return;
      const facts = [[words.info_name, name], [words.info_time, time ? when(time) : words.info_unknown]];
      fill("info", words.info_title, make("dl", { class: "facts stacked" }, facts.flatMap(([term, fact]) => [make("dt", {}, term), make("dd", {}, fact)])));
    } catch (error) {
      if (turn === this.#turn) fill("info", words.info_title, make("p", { class: "quiet" }, sentenceFor(error)));
    }
  }
}

const sentenceFor = (error) => error.sentence || (error instanceof Refused ? words.refused : words.server_gone);

function fill(id, title, ...content) {
  find(id).replaceChildren(make("h2", {}, title), ...content);
}
