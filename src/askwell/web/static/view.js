// The small tools under the image: zoom, brightness and contrast, and the switches of guess and file name.
import { button, find, key, make } from "./dom.js";
import { words } from "./words.js";

const LIGHTS = { brightness: 100, contrast: 100 };

export class View {
  /** `switches` toggle the side panels: {guess, info}. */
  constructor(stage, switches) {
    this.stage = stage;
    this.light = { ...LIGHTS };
    this.sliders = find("sliders");
    this.lightButton = button(words.light, { onclick: () => this.toggleLight(), "aria-expanded": "false", "aria-controls": "sliders" }, key("v"));
    this.buttons = {
      guess: button(words.guess, { onclick: switches.guess, "aria-pressed": "false" }, key("t")),
      info: button(words.info, { onclick: switches.info, "aria-pressed": "false" }, key("i")),
    };
    find("view").append(
      button("−", { class: "icon", "aria-label": words.zoom_out, title: words.zoom_out, onclick: () => stage.zoom.out() }),
      button("+", { class: "icon", "aria-label": words.zoom_in, title: words.zoom_in, onclick: () => stage.zoom.in() }),
      button(words.zoom_fit, { onclick: () => stage.zoom.fit() }, key("f")),
      this.lightButton,
      this.buttons.guess,
      this.buttons.info,
    );
    this.#furnish();
  }

  pressed(name, on) {
    this.buttons[name].setAttribute("aria-pressed", String(on));
  }

  get lightIsOpen() {
    return !this.sliders.hidden;
  }

  toggleLight() {
    this.sliders.hidden = !this.sliders.hidden;
    this.lightButton.setAttribute("aria-expanded", String(!this.sliders.hidden));
    if (!this.sliders.hidden) this.sliders.querySelector("input").focus();
    else find("stage").focus({ preventScroll: true });
  }

  #furnish() {
    this.inputs = Object.keys(LIGHTS).map((name) =>
      make("input", { type: "range", min: 30, max: 250, step: 5, value: 100, name, id: `light-${name}`, oninput: (event) => this.#set(name, event.target.valueAsNumber) }),
    );
    this.output = make("output", { for: "light-brightness light-contrast" });
    this.sliders.append(
      ...this.inputs.map((input) => make("label", { for: input.id }, words[input.name], input)),
      this.output,
      button(words.light_reset, { onclick: () => this.#reset() }),
    );
    this.#apply();
  }

  #set(name, value) {
    this.light[name] = value;
    this.#apply();
  }

  #reset() {
    this.light = { ...LIGHTS };
    for (const input of this.inputs) input.value = LIGHTS[input.name];
    this.#apply();
  }

  #apply() {
    const { brightness, contrast } = this.light;
    const changed = brightness !== 100 || contrast !== 100;
    this.stage.canvas.style.filter = changed ? `brightness(${brightness}%) contrast(${contrast}%)` : "";
    this.output.textContent = words.light_set(brightness, contrast);
    this.lightButton.classList.toggle("changed", changed);
    this.lightButton.title = words.light_set(brightness, contrast);
  }
}
