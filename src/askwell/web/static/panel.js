// The one dialog over the page; each view fills it. The browser keeps the focus inside and gives it back on closing.
import { find } from "./dom.js";
import { words } from "./words.js";

export class Panel {
  /** `views` maps a name to {title, build(body, argument), key(event)?}; no time passes for the image under it. */
  constructor(views, attention) {
    this.views = views;
    this.attention = attention;
    this.name = null;
    this.dialog = find("panel");
    find("panel-close").textContent = words.close;
    find("panel-close").addEventListener("click", () => this.close());
    this.dialog.addEventListener("close", () => this.#closed());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.close());
    for (const button of document.querySelectorAll("[data-panel]"))
      button.addEventListener("click", () => this.open(button.dataset.panel));
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(name, argument) {
    const view = this.views[name];
    this.name = name;
    find("panel-title").textContent = view.title;
    this.dialog.dataset.view = name;
    const body = find("panel-body");
    body.replaceChildren();
    view.build(body, argument);
    if (!this.isOpen) this.dialog.showModal();
    this.attention.pause();
    body.scrollTop = 0;
  }

  close() {
    this.dialog.close();
  }

  key(event) {
    this.views[this.name]?.key?.(event);
  }

  /** The browser tells of it a moment later, when another view may be open already. */
  #closed() {
    if (this.isOpen) return;
    find("panel-body").replaceChildren();
    this.name = null;
    this.attention.resume();
    if (document.activeElement === document.body || !document.activeElement?.matches(":focus-visible"))
      find("stage").focus({ preventScroll: true });
  }
}
