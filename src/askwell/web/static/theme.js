// Light, dark, or as the system has it; theme-first.js puts a chosen one in place before the first paint.
import { find } from "./dom.js";
import { words } from "./words.js";

const ORDER = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };

const chosen = () => document.documentElement.dataset.theme ?? "auto";

function show() {
  const button = find("theme");
  button.textContent = SIGNS[chosen()];
  button.title = words.theme[chosen()];
  button.setAttribute("aria-label", words.theme[chosen()]);
}

function next() {
  const theme = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("askwell:theme", theme);
  } catch {
    // storage is blocked: it holds until the page is left
  }
  show();
}

export function startTheme() {
  find("theme").addEventListener("click", next);
  show();
}
