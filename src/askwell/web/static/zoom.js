// Zoom and pan of the shown picture by wheel, pinch, drag, double-click or keys; every new picture starts fitted to the window.
const MOST = 16;
const STEP = 1.35;
const PAN = 0.15; // of the window per key press

export class Zoom {
  #picture = null;
  #scale = 1;
  #x = 0;
  #y = 0;
  #fingers = new Map();

  constructor(canvas) {
    this.canvas = canvas;
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => (this.#scale > 1 ? this.fit() : this.#by(2.5, event)));
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
      canvas.addEventListener(end, (event) => this.#fingers.delete(event.pointerId));
  }

  get scale() {
    return this.#scale;
  }

  attach(picture) {
    this.#picture = picture;
    this.#fingers.clear();
    this.fit();
  }

  fit() {
    [this.#scale, this.#x, this.#y] = [1, 0, 0];
    this.#apply();
  }

  in() {
    this.#by(STEP);
  }

  out() {
    this.#by(1 / STEP);
  }

  /** Moves the window over the picture by a share of its size; nothing happens while the picture fits. */
  pan(right, down) {
    this.#x -= right * PAN * this.canvas.clientWidth;
    this.#y -= down * PAN * this.canvas.clientHeight;
    this.#apply();
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.#by(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002)), event);
  }

  /** Zooms by a factor and keeps the point under the pointer where it is. */
  #by(factor, point = null) {
    const box = this.canvas.getBoundingClientRect();
    const px = point ? point.clientX - box.left - box.width / 2 : 0;
    const py = point ? point.clientY - box.top - box.height / 2 : 0;
    const scale = Math.min(MOST, Math.max(1, this.#scale * factor));
    const ratio = scale / this.#scale;
    this.#x = px - (px - this.#x) * ratio;
    this.#y = py - (py - this.#y) * ratio;
    this.#scale = scale;
    this.#apply();
  }

  #press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, { clientX: event.clientX, clientY: event.clientY });
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const now = { clientX: event.clientX, clientY: event.clientY };
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.#fingers.set(event.pointerId, now);
    if (other) {
      const middle = { clientX: (now.clientX + other.clientX) / 2, clientY: (now.clientY + other.clientY) / 2 };
      this.#by(distance(now, other) / Math.max(1, distance(before, other)), middle);
    } else {
      this.#x += now.clientX - before.clientX;
      this.#y += now.clientY - before.clientY;
      this.#apply();
    }
  }

  #apply() {
    const roomX = ((this.#scale - 1) * this.canvas.clientWidth) / 2;
    const roomY = ((this.#scale - 1) * this.canvas.clientHeight) / 2;
    this.#x = Math.min(roomX, Math.max(-roomX, this.#x));
    this.#y = Math.min(roomY, Math.max(-roomY, this.#y));
    this.canvas.classList.toggle("zoomed", this.#scale > 1);
    if (!this.#picture) return;
    this.#picture.style.transform =
      this.#scale === 1 ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.#picture.classList.toggle("near", this.#scale > 4);
  }
}

const distance = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
