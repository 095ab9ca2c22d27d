// The thin bar on top: answers, pace, round, estimated accuracy, what the machine does, and answers that wait to be sent.
import { spark } from "./curve.js";
import { find, make } from "./dom.js";
import { words } from "./words.js";

const RESTING = new Set(["cold_start", "waiting", "idle"]);

export class Status {
  constructor(session, outbox, messages) {
    Object.assign(this, { session, outbox, messages });
    find("figures").title = words.status_open;
    session.addEventListener("change", () => this.render());
    outbox.addEventListener("change", () => this.#waiting());
    find("waiting").addEventListener("click", () => outbox.retry());
  }

  render() {
    const { state } = this.session;
    figure("figure-answers", words.status_answers(state.answers, state.total));
    figure("figure-rate", state.per_hour ? words.status_rate(Math.round(state.per_hour)) : null);
    figure("figure-round", Number.isFinite(state.round) ? words.status_round(state.round) : null);
    figure("figure-estimate", state.estimate ? words.status_estimate(state.estimate) : ["", words.status_no_estimate]);
    figure("figure-auc", state.estimate?.auc ? words.status_auc(state.estimate.auc) : null);
    find("spark").replaceChildren(...(state.curve?.length > 1 ? [spark(state.curve)] : []));
    this.#machine(state.worker, state.total);
    this.#classes();
  }

  #machine(worker, total) {
    const left = Number.isFinite(worker?.left_s) && worker.left_s > 0 ? words.time_left(worker.left_s) : "";
    const waits = this.#tooFew && RESTING.has(worker?.doing);
    put("machine-doing", waits ? words.too_few_classes : worker ? words.doing(worker.doing, total) + left : "");
    find("machine").dataset.doing = worker?.doing ?? "";
    const bar = find("machine-bar");
    bar.hidden = !Number.isFinite(worker?.progress);
    if (!bar.hidden) bar.firstElementChild.style.width = `${100 * Math.min(1, Math.max(0, worker.progress))}%`;
    if (worker?.message) this.messages.stand("worker", worker.message, "news");
    else this.messages.clear("worker");
  }

  get #tooFew() {
    return this.session.classes.length < 2;
  }

  /** A model tells classes apart: with fewer than two of them there is nothing to learn. */
  #classes() {
    if (this.#tooFew) this.messages.stand("classes", words.too_few_classes_long, "news");
    else this.messages.clear("classes");
  }

  /** An answer that is on its way for a moment is no news; one that has to be sent again is. */
  #waiting() {
    const button = find("waiting");
    button.hidden = this.outbox.size === 0 || !(this.outbox.away || this.outbox.stopped || this.outbox.size > 3);
    button.textContent = button.hidden ? "" : words.waiting(this.outbox.size);
  }
}

function put(id, text) {
  if (find(id).textContent !== text) find(id).textContent = text;
}

function figure(id, words) {
  const place = find(id);
  place.hidden = words === null;
  if (words === null || place.textContent === words.join("")) return;
  place.replaceChildren(make("b", {}, words[0]), make("span", {}, words[1]), make("span", { class: "interval" }, words[2] ?? ""));
}
