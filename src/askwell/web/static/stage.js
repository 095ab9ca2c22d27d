// The image on the page: shown, painted, then zoomed and panned. `painted` is the question whose pixels are on the screen, and only that may be answered.
import { find } from "./dom.js";
import { words } from "./words.js";
import { Zoom } from "./zoom.js";

const BLOCKS_FROM = 4; // enlarged this much, an image is drawn in honest blocks instead of blur
const LOOK_AGAIN = 3000; // ms
const VEIL_AFTER = 200; // ms: a picture that is there sooner needs no word about it

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

export class Stage extends EventTarget {
  #turn = 0;

  constructor() {
    super();
    this.canvas = find("canvas");
    this.veil = find("veil");
    this.painted = null;
    this.subject = null;
    this.zoom = new Zoom(this.canvas);
    new ResizeObserver(() => this.#blocks()).observe(this.canvas);
  }

  /** Shows a question's picture; resolves to true once it is painted, to false when another one took its place or it cannot be shown. */
  async show(question, alt) {
    const turn = this.#begin(question);
    if (!question.loaded && question.failure === null) await this.#await(question, turn);
    if (turn !== this.#turn) return false;
    if (question.failure !== null) {
      return this.#failed(question, alt, turn);
    }
    this.#say(null);
    question.picture.alt = alt;
    question.picture.draggable = false;
    this.canvas.replaceChildren(question.picture);
    this.zoom.attach(question.picture);
    this.#blocks();
    await nextFrame();
    await nextFrame(); // the frame that held the picture has been presented
    if (turn !== this.#turn) return false;
    this.painted = question;
    document.body.dataset.painted = question.id;
    this.dispatchEvent(new CustomEvent("painted", { detail: question }));
    return true;
  }

  /** No image, but a sentence in its place. */
  empty(sentence) {
    this.#begin(null);
    this.#say(sentence);
  }

  #begin(question) {
    this.#turn += 1;
    this.painted = null;
    this.subject = question;
    delete document.body.dataset.painted;
    if (!question?.loaded) this.canvas.replaceChildren();
    this.dispatchEvent(new CustomEvent("subject", { detail: question }));
    return this.#turn;
  }

  async #await(question, turn) {
    const timer = setTimeout(() => turn === this.#turn && this.#say(words.loading), VEIL_AFTER);
    await question.ready;
    clearTimeout(timer);
  }

  /** Says why, and looks again: a file, a folder or a connection may come back. */
  #failed(question, alt, turn) {
    const { sentence, passing } = question.failure;
    this.#say(passing ? words.image_waits(sentence) : words.image_failed(sentence));
    setTimeout(async () => {
      if (turn !== this.#turn) return;
      await question.load();
      if (turn === this.#turn) this.show(question, alt);
    }, LOOK_AGAIN);
    return false;
  }

  #say(sentence) {
    this.veil.hidden = sentence === null;
    this.veil.textContent = sentence ?? "";
  }

  #blocks() {
    const picture = this.canvas.querySelector("img");
    if (!picture?.naturalWidth) return;
    const { clientWidth, clientHeight } = this.canvas;
    const scale = Math.min(clientWidth / picture.naturalWidth, clientHeight / picture.naturalHeight);
    picture.classList.toggle("blocks", scale >= BLOCKS_FROM);
  }
}
