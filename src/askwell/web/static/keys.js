// What a key press means. Digits go by the printed character first and the key's place second, so that the number row of an
// AZERTY keyboard and the number pad answer too; letters go by the printed character, or by place where the script has no Latin letters.
const COMMANDS = {
  " ": "skip",
  u: "unsure",
  b: "bad",
  Backspace: "undo",
  "?": "help",
  ArrowLeft: "back",
  ArrowRight: "forward",
  ArrowUp: "back",
  ArrowDown: "forward",
  Escape: "escape",
  i: "info",
  t: "guess",
  g: "grid",
  c: "classes",
  h: "help",
  "+": "zoomIn",
  "=": "zoomIn",
  "-": "zoomOut",
};
const SPARE = { s: "progress", v: "light", f: "fit" }; // a class may have these letters, and then they are the class's
const DIGIT_CODE = /^(?:Digit|Numpad)([0-9])$/;
const HELD_FOR = 1500; // ms after which a key whose release was missed counts as released

/** Letters that belong to commands, so no class may have them. */
export const RESERVED = new Set(Object.keys(COMMANDS).filter((name) => /^[a-z]$/.test(name)));

/** A key as classes carry it: one digit or one letter, lower case; null when it is neither. */
export function classKey(text) {
  const key = text.trim().toLowerCase();
  return /^[0-9a-z]$/.test(key) ? key : null;
}

function digit(event) {
  if (/^[0-9]$/.test(event.key)) return event.key;
  const found = DIGIT_CODE.exec(event.code);
  if (!found || event.key === "?") return null;
  return event.shiftKey && event.code.startsWith("Digit") ? null : found[1];
}

/** The Latin letter that was typed, or the one at that place of the keyboard where another script is typed. */
function letter(event) {
  const typed = event.key.toLowerCase();
  if (typed.length !== 1 || /[a-z]/.test(typed) || !/\p{L}/u.test(typed)) return typed;
  const place = /^Key([A-Z])$/.exec(event.code);
  return place ? place[1].toLowerCase() : typed;
}

/** {key} for a possible class key, {command}, or null; `classKeys` are the keys that classes have. */
export function meaning(event, classKeys) {
  if (event.isComposing || event.key === "Dead") return null;
  const altGraph = event.getModifierState?.("AltGraph") ?? false;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.altKey) return { command: "undo" };
  if ((event.ctrlKey || event.metaKey || event.altKey) && !altGraph) return null;
  const number = digit(event);
  if (number !== null) return { key: number };
  const typed = event.key.length === 1 ? letter(event) : event.key;
  if (COMMANDS[typed]) return { command: COMMANDS[typed] };
  if (classKeys.has(typed)) return { key: typed };
  if (SPARE[typed]) return { command: SPARE[typed] };
  return classKey(typed) === null ? null : { key: typed };
}

/** Tells first presses from repeats, also where a remote desktop sends repeats as presses. */
export class Held {
  #down = new Map();

  constructor() {
    addEventListener("keyup", (event) => this.#down.delete(event.code), true);
    addEventListener("blur", () => this.#down.clear());
    document.addEventListener("visibilitychange", () => this.#down.clear());
  }

  repeated(event) {
    const code = event.code || event.key;
    const before = this.#down.get(code);
    this.#down.set(code, event.timeStamp);
    return event.repeat || (before !== undefined && event.timeStamp - before < HELD_FOR);
  }
}
