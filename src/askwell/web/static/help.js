// Every key of the page, and the few things worth knowing about it.
import { make } from "./dom.js";
import { words } from "./words.js";

export function helpView(session) {
  return {
    title: words.help_title,
    build(body) {
      const rows = words.help_keys.map(([keys, meaning]) =>
        make("tr", {}, make("th", { scope: "row" }, keys.split(/\s{2,}| (?=[←→])/).map((one) => make("kbd", {}, one))), make("td", {}, meaning)),
      );
      const more = [...words.help_more, words.help_skip(session.state?.skip_gap)].filter(Boolean);
      body.append(
        make("table", { class: "keys" }, make("tbody", {}, rows)),
        make("ul", { class: "plain" }, more.map((sentence) => make("li", {}, sentence))),
      );
    },
  };
}
