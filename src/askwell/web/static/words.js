// Every word of the page, in one file: to translate the page, translate this (what the server says of a refusal comes from there).
export const language = "en";

const integer = new Intl.NumberFormat(language);
const twoDigits = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

export const count = (number) => integer.format(number);
export const decimal = (number) => twoDigits.format(number);
export const percent = (fraction) => `${integer.format(Math.round(100 * fraction))}\u202f%`;
const hundredths = (fraction) => integer.format(Math.round(100 * fraction));
const capital = (sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1);
/** Of a sentence of the server, which says what is and what to do about it, the first half. */
const fact = (sentence) => (sentence.includes(";") ? `${sentence.split(";")[0]}.` : sentence);
const some = (number, one, many) => `${integer.format(number)} ${number === 1 ? one : many}`;
const answers = (number) => some(number, "answer", "answers");

export function when(time) {
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  return Number.isNaN(date.getTime()) ? String(time) : clock.format(date);
}

export function duration(seconds) {
  if (seconds < 60) return `${integer.format(Math.max(1, Math.round(seconds)))} s`;
  if (seconds < 5400) return `${integer.format(Math.round(seconds / 60))} min`;
  return `${integer.format(Math.round(seconds / 3600))} h`;
}

const DOING = {
  cold_start: "No model yet",
  starting: "Starting",
  waiting: "Model up to date",
  idle: "Model up to date",
  comparing: "Comparing the files",
  downloading: "Fetching the network",
  features: "Looking at every image",
  fitting: "Learning",
  scoring: "Choosing the next",
  evaluating: "Measuring",
  stopped: "Learning has stopped",
};

const REASONS = {
  all_answered: "Every image has an answer. You can review the classes, export the answers, or close this page.",
  all_asked:
    "Every image that is asked about has an answer. Some are not: they cannot be shown, or belong together with images that measure the accuracy, and are asked when you give those to the model (press s).",
  leased: "The last images are with someone else at the moment. This page looks again by itself.",
  indexing: "The folder is still being looked through. The first image comes in a moment.",
  folder_gone: "The folder with the images is not there any more. Bring it back and this page goes on; your answers are safe.",
};

export const words = {
  // regions, for screen readers
  tools_region: "Views",
  strip_region: "Your last answers, oldest first",
  stage_region: "Image to label",
  view_region: "View of the image",
  side_region: "About this image",
  line_region: "Message and view",
  answers_region: "Answer",
  classes_region: "Classes",
  commands_region: "Other answers",

  // status bar
  tool_grid: "Review",
  tool_classes: "Classes",
  tool_help: "Help",
  status_answers: (done, total) => [count(done), ` of ${count(total)} answered`],
  status_rate: (rate) => [count(rate), " per hour"],
  status_round: (round) => [`Round ${count(round)}`, ""],
  status_estimate: (estimate) => [
    percent(estimate.accuracy),
    ` right${estimate.final ? ` in round ${count(estimate.model_round)}` : ""}`,
    ` (${hundredths(estimate.low)}–${percent(estimate.high)}, n = ${count(estimate.n)})`,
  ],
  status_auc: ({ value, low, high }) => [decimal(value), " AUC", ` (${decimal(low)}–${decimal(high)})`],
  status_no_estimate: "Accuracy not measured yet",
  status_open: "Open progress and export",
  too_few_classes: "Waiting for two classes",
  too_few_classes_long: "The model learns again once two classes are in use. Press c to add one or to bring one back; your answers are kept.",
  doing: (doing, found) => (doing === "indexing" ? `Reading the folder, ${some(found, "image", "images")} so far` : (DOING[doing] ?? doing ?? "")),
  time_left: (seconds) => `, ${duration(seconds)} left`,
  theme: { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" },

  // the image
  image_alt: "The image to label",
  image_alt_back: "An image you have answered",
  zoom_in: "Zoom in",
  zoom_out: "Zoom out",
  zoom_fit: "Fit",
  light: "Light",
  light_set: (brightness, contrast) => `Brightness ${count(brightness)}\u202f%, contrast ${count(contrast)}\u202f%`,
  brightness: "Brightness",
  contrast: "Contrast",
  light_reset: "Reset",
  loading: "Loading the next image",
  image_failed: (sentence) =>
    `${capital(fact(sentence)) || "This image cannot be shown; its file may be missing or damaged."} Press b to set it aside, or space to skip it.`,
  image_waits: (sentence) => `${capital(sentence) || "The image cannot be had at the moment."} This page tries again by itself.`,

  // answers
  skip: "Skip",
  unsure: "Unsure",
  bad: "Bad image",
  undo: "Undo",
  space: "space",
  backspace: "⌫",
  skip_hint: (gap) => (gap ? `Skip: it returns after about ${answers(gap)}` : "Skip: it returns later"),
  unsure_hint: "Unsure: it does not return, and is never learned from",
  bad_hint: "Bad image: it does not return, and is never learned from",
  undo_hint: "Take back the last answer",
  class_hint: (name, number) => `${name}, ${answers(number)}`,
  class_key: (name) => (name ? `key ${name}` : "no key"),
  no_classes: "There are no classes yet. Press c to add the first one.",
  answer_name: { skip: "Skipped", unsure: "Unsure", bad: "Bad image" },
  gone_class: "a former class",
  answered: (name) => `${name}. Next image.`,
  too_early: "That key came before the image was shown, so it was not counted.",
  no_image_to_answer: "There is no image to answer. Press b to set it aside, or space to skip it.",
  no_image_to_change: "This image cannot be shown, so its answer stays as it is.",
  no_such_key: (name) => `No class has the key ${name}.`,

  // sending
  waiting: (number) => `${answers(number)} waiting to be sent`,
  server_gone: "The server does not answer. Your answers are kept in this browser and are sent as soon as it is back.",
  server_gone_start: "The server does not answer. This page goes on by itself as soon as it is back.",
  server_back: "The server is back and has all your answers.",
  out_of_images: "No more images are at hand until the server is back. Your answers are kept in this browser.",
  signed_out:
    "The server does not know this browser any more. Open the link that the command prints in this browser; answers not sent yet are kept here and follow.",
  storage_blocked: "This browser does not let the page keep answers, so please leave it open until all are sent.",
  not_accepted: (sentence) => `One answer was not taken: ${sentence}`,
  answered_elsewhere: (name) => `This image was answered in another tab (${name}). Here is the next one.`,
  conflict: "That image was answered differently elsewhere, and that answer stands. You can change it among your last answers.",
  stale_edit: "This answer was changed meanwhile, so yours was not put over it. Here it is as it is now; change it again if you wish.",

  // undo and looking back
  undoing: "Taking back the last answer",
  undone: (name) => `Taken back: ${name}. Here is the image again.`,
  undone_change: (name, former) => `Taken back: ${name}. It counts as ${former} again.`,
  undo_offline: "The server does not answer, so this answer cannot be taken back yet. Try again in a moment.",
  nothing_to_undo: "There is no answer of yours to take back.",
  looking_back: (name, place) => `Looking back, ${count(place)} ${place === 1 ? "image" : "images"} ago: ${name}`,
  looking_back_how: "Press a key to change the answer, → to come forward.",
  gone_elsewhere: "The answer you looked at was taken back in another tab.",
  back_again: "Back at the image to label.",
  no_further_back: "This is your first answer.",
  changed: (before, after) => `Changed from ${before} to ${after}.`,
  edit_offline: "The server does not answer, so this answer cannot be changed yet. Try again in a moment.",
  edit_waits: "This answer is still on its way. It can be changed once the server has it.",
  strip_item: (name, place) => `${name}, ${count(place)} ${place === 1 ? "image" : "images"} ago: look at it or change it`,
  strip_waiting: "waiting to be sent",
  strip_empty: "Your last ten answers appear here.",

  // guess
  guess: "Guess",
  guess_title: "The model's guess",
  guess_of: (round) => `Model of round ${count(round)}. A guess can sway you: look first, then compare.`,
  guess_hidden: "This image measures the accuracy, so its guess stays hidden until you have answered.",
  guess_none: "There is no guess for this image yet.",
  guess_loading: "Asking the model",
  guess_range: (low, high) => `${percent(low)} to ${percent(high)} in nine of ten of the model's samples`,
  why_title: "Why this image",
  uncertainty_title: "Uncertainty",
  uncertainty_unit: "in nats",
  uncertainty: { total: "Total", aleatoric: "In the image (aleatoric)", epistemic: "In the model (epistemic)" },
  uncertainty_note: "Only the model's part shrinks as you answer.",

  // info
  info: "File",
  info_title: "File",
  info_name: "Name",
  info_time: "Time",
  info_loading: "Asking for the name",
  info_unknown: "not known",

  // panels
  close: "Close",
  dismiss: "Dismiss",
  progress_title: "Progress",
  grid_title: "Review",
  classes_title: "Classes",
  help_title: "Help",

  // progress panel
  done_of: (done, total) => `${count(done)} of ${count(total)} images answered`,
  per_class: "Answers per class",
  accuracy_title: "Estimated accuracy",
  accuracy_line: (estimate) =>
    `${percent(estimate.accuracy)} of images right, between ${percent(estimate.low)} and ${percent(estimate.high)} with 95\u202f% confidence.`,
  accuracy_how: (estimate) =>
    `Measured on ${some(estimate.n, "image", "images")} drawn at random from the whole folder, labelled without the model's guess. It is of the model of round ${count(estimate.model_round)}, ${
      estimate.final ? "the last before these images were given to learning; later ones cannot be measured." : "which never learned from them."
    }`,
  accuracy_any_time: ([low, high]) =>
    `If you stop because this looks good enough, trust the wider interval that allows for it: ${percent(low)} to ${percent(high)}.`,
  accuracy_missing: ({ skipped, unsure, all_wrong, all_right }) =>
    skipped + unsure === 0
      ? "None of the images drawn was skipped or unsure."
      : `Missing from it: ${count(skipped)} skipped and ${count(unsure)} unsure, which may well be the harder ones. With all of them wrong it would be ${percent(all_wrong)}, with all of them right ${percent(all_right)}.`,
  auc_line: (estimate) =>
    `AUC ${decimal(estimate.auc.value)}, between ${decimal(estimate.auc.low)} and ${decimal(estimate.auc.high)} with 95\u202f% confidence: how often an image of ${estimate.classes?.length === 2 ? `“${estimate.classes[1]}” is put above one of “${estimate.classes[0]}”` : "the one class is put above one of the other"}.`,
  accuracy_none:
    "Not measured yet. Every eighth image is drawn at random to measure the accuracy; the first estimate comes once there is a model and some of these have answers.",
  weighed: ({ round, scored, of }) =>
    `In round ${count(round)} the model looked at ${count(scored)} of ${some(of, "image", "images")} without an answer${scored < of ? ", drawn at random," : ""} to choose the next ones.`,
  curve_title: "Accuracy as answers grew",
  curve_alt: (first, last) =>
    `From ${percent(first[1])} after ${answers(first[0])} to ${percent(last[1])} after ${answers(last[0])}.`,
  curve_note: "Every saved model, measured on the random images answered so far; the band is the 95\u202f% interval.",
  curve_x: "answers",
  curve_table: "The same as a table",
  curve_columns: ["Answers", "Accuracy", "Low", "High"],
  export_title: "Export the answers",
  export_note: "The files hold your answers, not the images.",
  formats: { csv: "CSV", jsonl: "JSON Lines", labelstudio: "Label Studio" },
  release_title: "Finish",
  release_note: (number) =>
    `${number === null ? "The" : count(number)} images that measure the accuracy are kept out of learning. At the very end you can give them to the model too; after that the accuracy can no longer be measured.`,
  release: "Give them to the model",
  release_sure: "After this the accuracy cannot be measured any more, and it cannot be undone. Give these images to the model?",
  release_yes: "Yes, give them",
  released: "The images that measured the accuracy now belong to the model's learning.",

  // review grid
  grid_choose: "Show",
  grid_option: (name, number) => (number === null ? name : `${name} (${count(number)})`),
  grid_kinds: { unsure: "Unsure", bad: "Bad images", skip: "Skipped" },
  grid_hint: "Select the images that are wrong (click, or arrows and space), then press the key of the right class.",
  grid_none: "Nothing here.",
  grid_no_picture: "This image cannot be shown.",
  grid_more: "Show more",
  grid_tile: (place, selected) => `Image ${count(place)}${selected ? ", selected" : ""}`,
  grid_selected: (number) => (number === 0 ? "None selected" : `${count(number)} selected`),
  grid_clear: "Select none",
  grid_move: "Move to",
  grid_moved: (number, name) => `${some(number, "image", "images")} moved to ${name}.`,
  grid_stale: (number) => `${some(number, "answer was", "answers were")} changed meanwhile elsewhere and left alone.`,

  // classes panel
  class_name: "Name",
  class_key_field: "Key",
  class_answers: "Answers",
  class_answers_of: answers,
  class_actions: "Actions",
  class_retired: "retired",
  rename: "Rename",
  merge: "Merge",
  split: "Split",
  retire: "Retire",
  bring_back: "Bring back",
  bring_back_title: (name) => `Bring back “${name}”`,
  cancel: "Cancel",
  add_title: "Add a class",
  add: "Add",
  rename_title: (name) => `Rename “${name}”`,
  rename_touches: (number) => `${answers(number)} will show the new name. Nothing else changes.`,
  merge_title: (name) => `Merge “${name}” into another class`,
  merge_into: "Into",
  merge_touches: (number, name, into) => `${answers(number)} of “${name}” will count as “${into}”.`,
  split_title: (name) => `Split “${name}”`,
  split_into: "New class",
  split_touches: (number, name) =>
    `${answers(number)} stay “${name}” at first; you then pick those that belong to the new class.`,
  retire_title: (name) => `Retire “${name}”`,
  retire_touches: (number) => `It is offered no more. Its ${answers(number)} ${number === 1 ? "is" : "are"} kept but no longer learned from.`,
  add_touches: "A new class touches no answer.",
  class_did: {
    add: (name) => `Added “${name}”.`,
    rename: (name, number) => `Renamed to “${name}”; ${answers(number)} show it.`,
    key: (name) => `Changed the key of “${name}”.`,
    merge: (name, number, into) => `Merged “${name}” into “${into}”; ${answers(number)} moved.`,
    split: (name, number) => `Split off “${name}”; ${answers(number)} to look through.`,
    retire: (name, number) => `Retired “${name}”; it has ${answers(number)}.`,
    undo: () => "Taken back.",
  },
  changes_title: "Latest changes",
  class_changed: {
    add: ({ name }) => `“${name}” added`,
    rename: ({ name, before, key }) =>
      [before ? `“${before}” renamed to “${name}”` : `“${name}”`, key ? `key ${key}` : key === "" ? "no key" : ""].filter(Boolean).join(", "),
    merge: ({ name, into }) => `“${name}” merged into “${into ?? words.gone_class}”`,
    split: ({ name, into }) => `“${name}” split off “${into ?? words.gone_class}”`,
    retire: ({ name }) => `“${name}” retired`,
  },
  undo_change: (change) => `Undo: ${change}`,
  none_of_these: /(?<!\p{L})(none|others?|neither|unknown|rest)(?!\p{L})/iu, // names of a class that earlier answers may have meant a new one by
  class_review: "Earlier answers may belong to it:",
  class_review_one: (name, number) => (number === null ? `review ${name}` : `review ${name} (${count(number)})`),
  key_taken: (key, name) => `The key ${key} belongs to “${name}”; choose another one.`,
  key_reserved: (key) => `The key ${key} is a command of this page; choose a digit or another letter.`,
  key_bad: "A key is one digit or one letter.",
  name_bad: "A name starts with a letter or digit, not with = + - or @.",
  name_empty: "Write a name first.",
  nothing_changed: "Name and key are as before. Change one of them, or cancel.",

  // help
  help_keys: [
    ["1 – 9, 0", "answer with that class and go on to the next image; also on the number pad"],
    ["space", "skip: the image returns later"],
    ["u", "unsure: it does not return"],
    ["b", "bad image: it does not return"],
    ["⌫", "take back the last answer, as often as you like"],
    ["← →", "look back at your answers and come forward again; a key there changes the answer"],
    ["+  −  f", "zoom in, out, fit; or wheel, pinch, drag and double-click; shift and arrows move a zoomed image"],
    ["v", "brightness and contrast"],
    ["t", "the model's guess and why this image is asked"],
    ["i", "file name and time of this image"],
    ["g", "review a class as a grid"],
    ["c", "add, rename, merge, split or retire classes"],
    ["s", "progress, accuracy and export"],
    ["?", "this help"],
  ],
  help_more: [
    "Skipped, unsure and bad images are never learned from. “None of these” is best added as an ordinary class.",
    "Every answer is kept in this browser until the server has it, so you can close the lid or lose the connection at any time.",
    "Your time per image leaves out the time this page is hidden, and anything beyond a minute without a movement or a key.",
    "The accuracy is estimated on images drawn at random; their guess is always hidden.",
  ],
  help_skip: (gap) => (gap ? `A skipped image returns after about ${answers(gap)}.` : ""),

  // one-time question of the machine
  question_region: "A question from the learner",

  // ends
  reason: (reason) => REASONS[reason] ?? reason,
  refused: "The server could not do this.",
};
