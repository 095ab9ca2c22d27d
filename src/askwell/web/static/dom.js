// Elements made and found; text always goes in as text, so that no name can become markup.
import { words } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; attributes that start with "on" are listeners, null and false ones are left out. */
export function make(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function draw(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

export function button(text, attributes, ...children) {
  return make("button", { type: "button", ...attributes }, text, ...children);
}

export const key = (name) => make("kbd", { "aria-hidden": "true" }, name);

/** Puts the words into the template's empty elements. */
export function fillWords(root = document) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
  for (const element of root.querySelectorAll("[data-word-label]"))
    element.setAttribute("aria-label", words[element.dataset.wordLabel]);
}
