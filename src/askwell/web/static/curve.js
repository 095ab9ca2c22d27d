// The accuracy as answers grew: a line with its 95 % band, drawn from [[answers, accuracy, low, high], ...].
import { draw } from "./dom.js";
import { count, percent, words } from "./words.js";

const line = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function shapes(curve, x, y) {
  const upper = curve.map(([answers, , , high]) => [x(answers), y(high)]);
  const lower = curve.map(([answers, , low]) => [x(answers), y(low)]).reverse();
  const middle = curve.map(([answers, accuracy]) => [x(answers), y(accuracy)]);
  const [lastX, lastY] = middle.at(-1);
  return [
    curve.length > 1 ? draw("path", { class: "band", d: `${line([...upper, ...lower])}Z` }) : null,
    curve.length > 1 ? draw("path", { class: "curve", d: line(middle) }) : null,
    draw("circle", { class: "point", cx: lastX, cy: lastY, r: 2.5 }),
  ];
}

function scale(from, to, low, high) {
  const span = to - from || 1;
  return (value) => low + ((value - from) / span) * (high - low);
}

/** The small one for the status bar; only its shape, as the numbers are beside it. */
export function spark(curve, width = 72, height = 18) {
  const floor = Math.min(...curve.map(([, , low]) => low));
  const x = scale(curve[0][0], curve.at(-1)[0], 3, width - 4);
  const y = scale(floor, 1, height - 3, 3);
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, shapes(curve, x, y));
}

function rungs(floor) {
  const step = 1 - floor > 0.5 ? 0.25 : 0.1;
  const found = [];
  for (let value = 1; value >= floor - 1e-9; value -= step) found.push(value);
  return found;
}

/** The large one, with axes; no wider than a telephone, so that its letters are never drawn smaller than they are. */
export function chart(curve, width = Math.min(560, Math.max(280, innerWidth - 48)), height = 220) {
  const [left, right, top, bottom] = [48, 12, 10, 34];
  const floor = Math.max(0, Math.floor(10 * Math.min(...curve.map(([, , low]) => low))) / 10);
  const last = curve.at(-1)[0];
  const x = scale(0, last, left, width - right);
  const y = scale(floor, 1, height - bottom, top);
  const grid = rungs(floor).flatMap((value) => [
    draw("line", { class: "rule", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
    draw("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, percent(value)),
  ]);
  const ticks = [0, last / 2, last].map((value, place) =>
    draw("text", { x: x(value), y: height - bottom + 18, "text-anchor": place === 2 ? "end" : "middle" }, place === 2 ? `${count(value)} ${words.curve_x}` : count(Math.round(value))),
  );
  const alt = words.curve_alt(curve[0], curve.at(-1));
  return draw("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alt }, grid, ticks, shapes(curve, x, y));
}
