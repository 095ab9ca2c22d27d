// How long someone looked at an image: hidden time is left out, and so is time beyond a minute without any sign of life.
const IDLE = 60_000; // ms without a key, a movement or a touch after which nobody is taken to be there
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"];

export class Attention {
  #spent = 0;
  #since = null;

  constructor(clock = () => performance.now()) {
    this.clock = clock;
    for (const sign of SIGNS) addEventListener(sign, () => this.#tick(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.#resume()));
  }

  /** An image was painted: count from here. */
  start() {
    this.#spent = 0;
    this.#since = document.hidden ? null : this.clock();
  }

  /** Seconds of attention since `start`. */
  seconds() {
    this.#tick();
    return Math.round(this.#spent) / 1000;
  }

  #tick() {
    if (this.#since === null) return;
    const now = this.clock();
    this.#spent += Math.min(now - this.#since, IDLE);
    this.#since = now;
  }

  #pause() {
    this.#tick();
    this.#since = null;
  }

  #resume() {
    this.#since = this.clock();
  }
}
