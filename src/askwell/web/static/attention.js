// How long someone looked at an image: hidden time is left out, and so is time beyond a minute without any sign of life.
const IDLE = 60_000; // ms without a key, a movement or a touch after which nobody is taken to be there
const SIGNS = ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"];

export class Attention {
  #spent = 0;
  #since = null;

  constructor(clock = () => performance.now()) {
    this.clock = clock;
    for (const sign of SIGNS) addEventListener(sign, () => this.#tick(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.resume()));
  }

  /** An image was painted: count from here, or on from the seconds that it was looked at before. */
  start(seconds = 0) {
    this.#spent = 1000 * seconds;
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

  /** Nobody can see the image: the page is hidden, or a dialog lies over it. */
  pause() {
    this.#tick();
    this.#since = null;
  }

  resume() {
    if (!document.hidden) this.#since = this.clock();
  }
}
