// Progress: answers per class, the honest accuracy with its curve, export, and giving the measuring images away at the end.
import { api } from "./api.js";
import { chart } from "./curve.js";
import { button, make } from "./dom.js";
import { count, percent, words } from "./words.js";

const quiet = (text) => make("p", { class: "quiet" }, text);

export function progressView(session, messages) {
  return {
    title: words.progress_title,
    build(body) {
      const { state } = session;
      if (!state) return;
      body.append(
        make("p", { class: "lead" }, words.done_of(state.answers, state.total)),
        share(state.answers, state.total),
        ...(state.scored ? [quiet(words.weighed(state.scored))] : []),
        ...accuracy(named(state, session.classes)),
        make("h3", {}, words.per_class),
        perClass(session),
        make("h3", {}, words.export_title),
        quiet(words.export_note),
        make("p", { class: "row" }, Object.entries(words.formats).map(([format, name]) => make("a", { class: "button", href: `/api/export?format=${format}`, download: true }, name))),
        ...release(state, session, messages),
      );
    },
  };
}

/** With the names of the classes, which the AUC is of. */
function named(state, classes) {
  return { ...state, estimate: state.estimate && { ...state.estimate, classes: classes.map((one) => one.name) } };
}

function share(part, whole) {
  const bar = make("span", {});
  bar.style.width = whole ? `${(100 * part) / whole}%` : "0";
  return make("span", { class: "thin wide", "aria-hidden": "true" }, bar);
}

function accuracy({ estimate, curve }) {
  const parts = [make("h3", {}, words.accuracy_title)];
  if (!estimate) parts.push(quiet(words.accuracy_none));
  else {
    parts.push(make("p", { class: "lead" }, words.accuracy_line(estimate)));
    if (estimate.auc) parts.push(make("p", {}, words.auc_line(estimate)));
    if (estimate.any_time && !estimate.final) parts.push(make("p", {}, words.accuracy_any_time(estimate.any_time)));
    parts.push(quiet(`${words.accuracy_how(estimate)} ${words.accuracy_missing(estimate)}`));
  }
  if (curve?.length) parts.push(make("h3", {}, words.curve_title), chart(curve), quiet(words.curve_note), table(curve));
  return parts;
}

function table(curve) {
  const head = make("tr", {}, words.curve_columns.map((name) => make("th", { scope: "col" }, name)));
  const rows = curve.map(([answers, ...shares]) => make("tr", {}, make("td", {}, count(answers)), shares.map((value) => make("td", {}, percent(value)))));
  return make("details", {}, make("summary", {}, words.curve_table), make("table", { class: "numbers" }, make("thead", {}, head), make("tbody", {}, rows)));
}

function perClass(session) {
  const most = Math.max(1, ...session.state.classes.map((one) => one.answers));
  const shown = session.state.classes.filter((one) => !one.retired || one.answers);
  return make(
    "ul",
    { class: "bars" },
    shown.map((one) => {
      const bar = make("span", { class: "fill" });
      bar.style.width = `${(100 * one.answers) / most}%`;
      return make(
        "li",
        { "data-hue": session.place(one.id) % 10 },
        make("span", { class: "name" }, one.name, one.retired ? ` (${words.class_retired})` : ""),
        make("span", { class: "value" }, count(one.answers)),
        make("span", { class: "track", "aria-hidden": "true" }, bar),
      );
    }),
  );
}

/** Asked twice, as it cannot be taken back. */
function release(state, session, messages) {
  if (state.evaluation?.released) return [make("h3", {}, words.release_title), quiet(words.released)];
  const place = make("div", { class: "release" });
  const ask = () =>
    place.replaceChildren(
      quiet(words.release_note(state.evaluation?.size ?? null)),
      button(words.release, { onclick: sure }),
    );
  const sure = () => {
    place.replaceChildren(
      make("p", {}, words.release_sure),
      make("p", { class: "row" }, button(words.cancel, { onclick: ask }), button(words.release_yes, { class: "grave", onclick: give })),
    );
    place.querySelector("button").focus();
  };
  const give = async () => {
    try {
      await api.release();
      place.replaceChildren(quiet(words.released));
      messages.announce(words.released);
      session.refreshSoon(0);
    } catch (error) {
      place.replaceChildren(make("p", { role: "alert" }, error.sentence || words.server_gone), button(words.release, { onclick: sure }));
    }
  };
  ask();
  return [make("h3", {}, words.release_title), place];
}
