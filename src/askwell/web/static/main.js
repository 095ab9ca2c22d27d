// The page's parts put together, and what each key does.
import { Refused } from "./api.js";
import { Attention } from "./attention.js";
import { Buttons } from "./buttons.js";
import { ClassesView } from "./classes.js";
import { fillWords, find } from "./dom.js";
import { Grid } from "./grid.js";
import { helpView } from "./help.js";
import { Held, meaning } from "./keys.js";
import { Labelling } from "./labelling.js";
import { LookBack } from "./lookback.js";
import { Messages } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { progressView } from "./progress.js";
import { MachineQuestion } from "./question.js";
import { Questions } from "./questions.js";
import { Recent } from "./recent.js";
import { Session } from "./session.js";
import { Side } from "./side.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { Tabs } from "./tabs.js";
import { startTheme } from "./theme.js";
import { View } from "./view.js";
import { words } from "./words.js";

const { campaign, annotator } = document.body.dataset;
const TYPING = "input:not([type=range]), textarea, select, [contenteditable]";

fillWords();
startTheme();
const owner = `${campaign}:${annotator}`;
const session = new Session();
const messages = new Messages();
const stage = new Stage();
const outbox = new Outbox(owner);
const tabs = new Tabs(owner);
const recent = new Recent(session);
const questions = new Questions();
const attention = new Attention();
const parts = { stage, questions, outbox, recent, session, attention, messages, tabs };
const labelling = new Labelling(parts);
const lookBack = new LookBack({ ...parts, labelling });
const buttons = new Buttons(session, lookBack, act);
const status = new Status(session, outbox, messages);
const side = new Side(stage, session, (name, on) => view.pressed(name, on));
const view = new View(stage, { guess: () => side.toggleGuess(), info: () => side.toggleInfo() });
const held = new Held();
const panel = new Panel({
  help: helpView(session),
  progress: progressView(session, messages),
  grid: new Grid(session, messages, changedHere),
  classes: new ClassesView(session, messages, { review: (of) => panel.open("grid", of), changed: changedHere }),
}, attention);
new MachineQuestion(session);

const COMMANDS = {
  skip: () => act("skip"),
  unsure: () => act("unsure"),
  bad: () => act("bad"),
  undo: () => act("undo"),
  back: (event) => (event.shiftKey ? pan(event) : lookBack.back()),
  forward: (event) => (event.shiftKey ? pan(event) : lookBack.forward()),
  escape: () => (lookBack.active ? lookBack.leave() : view.lightIsOpen ? view.toggleLight() : stage.zoom.fit()),
  info: () => side.toggleInfo(),
  guess: () => side.toggleGuess(),
  light: () => view.toggleLight(),
  fit: () => stage.zoom.fit(),
  zoomIn: () => stage.zoom.in(),
  zoomOut: () => stage.zoom.out(),
  help: () => panel.open("help"),
  grid: () => session.state && panel.open("grid"),
  classes: () => session.state && panel.open("classes"),
  progress: () => session.state && panel.open("progress"),
};

/** An answer or undo from a key or a button, for the image to label or the one looked back at. */
function act(kind, label = null) {
  if (kind === "undo") {
    if (lookBack.active) lookBack.leave();
    else labelling.undo();
  } else if (lookBack.active) lookBack.change(kind, label);
  else if (labelling.answer(kind, label)) buttons.flash({ kind, label });
}

/** After a click the keys belong to the image again; after a key the focus stays where it is. */
function clicked(event) {
  if (event.detail > 0 && !panel.isOpen && event.target.closest("button")) stageFocus();
}

const stageFocus = () => find("stage").focus({ preventScroll: true });

function pan(event) {
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  stage.zoom.pan(right, down);
}

function onKey(event) {
  const repeated = held.repeated(event);
  if (repeated && (event.key === "Enter" || event.key === " ")) event.preventDefault(); // a held key presses a button once
  if (panel.isOpen) {
    if (!repeated) panel.key(event);
    return;
  }
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.matches(TYPING)) return;
  if (target.matches("input[type=range]") && /^(Arrow|Page|Home|End)/.test(event.key)) return;
  if (event.key === " " && target.matches("button:focus-visible, a:focus-visible, summary:focus-visible")) return;
  const found = meaning(event, session.keys);
  if (!found) return;
  event.preventDefault();
  if (repeated) return;
  if (found.command) COMMANDS[found.command](event);
  else {
    const own = session.byKey(found.key);
    if (own) act("label", own.id);
    else messages.say(words.no_such_key(found.key));
  }
}

/** Answers or classes were changed in a panel here: the strip and the other tabs should know. */
function changedHere() {
  tabs.tell({ type: "changed" });
  reloadRecent();
  session.refreshSoon();
}

const reloadRecent = () => recent.load(() => outbox.entries).catch(() => {});

function away(event) {
  messages.stand("away", event.detail?.sentence || (session.state ? words.server_gone : words.server_gone_start));
}

function signedOut(event) {
  const { status: code, sentence } = event.detail ?? {};
  if (code === undefined || code === 401 || code === 403) messages.stand("signed-out", words.signed_out);
  else messages.say(sentence || words.refused);
}

/** An answer the server did not take stays in sight until it is dismissed, and its image may be asked again. */
function notTaken({ detail: { entry, sentence } }) {
  questions.forget(entry.key);
  messages.stand(`lost:${entry.key}`, words.not_accepted(sentence || words.conflict), "loss");
  recent.remove(entry.id);
  reloadRecent();
  labelling.refill();
  session.refreshSoon();
}

function listen() {
  addEventListener("keydown", onKey);
  addEventListener("click", clicked);
  outbox.addEventListener("sent", ({ detail: { entry, reply } }) => recent.sent(entry.key, reply.sequence));
  outbox.addEventListener("sent", () => (labelling.refill(), session.refreshSoon()));
  outbox.addEventListener("away", away);
  outbox.addEventListener("back", () => (messages.clear("away"), messages.say(words.server_back)));
  outbox.addEventListener("refused", () => messages.stand("signed-out", words.signed_out));
  outbox.addEventListener("conflict", notTaken);
  outbox.addEventListener("rejected", notTaken);
  outbox.addEventListener("change", () => !outbox.kept && messages.stand("storage", words.storage_blocked));
  for (const source of [session, labelling]) {
    source.addEventListener("away", away);
    source.addEventListener("refused", signedOut);
  }
  session.addEventListener("reached", reached);
  tabs.addEventListener("answered", ({ detail }) => (labelling.answeredElsewhere(detail), reloadRecent(), session.refreshSoon()));
  tabs.addEventListener("changed", () => (reloadRecent(), session.refreshSoon()));
  document.addEventListener("visibilitychange", () => !document.hidden && session.state && (reloadRecent(), labelling.refill()));
  addEventListener("pageshow", (event) => event.persisted && location.reload()); // the back button gives an old page: take a new one
}

/** The server answered: what waits is sent, and images are asked for again. */
function reached() {
  messages.clear("away");
  messages.clear("signed-out");
  if (outbox.size && (outbox.away || outbox.stopped)) outbox.retry();
  if (labelling.current) labelling.refill(); // otherwise it looks again by itself
}

async function start() {
  listen();
  const first = labelling.advance();
  for (;;) {
    try {
      await session.load();
      break;
    } catch (error) {
      if (error instanceof Refused) signedOut({ detail: error });
      else away({ detail: error });
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  messages.clear("away");
  session.refresh();
  await Promise.all([first, reloadRecent()]);
  stageFocus();
}

start();
