"""Label Studio's tasks, both ways: annotations with their lead time, a model's predictions, and the labelling interface that fits them.

A task is {"data": {"image": address, "askwell_id": id}, "annotations": [...], "predictions": [...], "meta": {...}}; a class is a result of
type "choices". Label Studio knows cancelled annotations only, so which kind of answer without a class it was, and by whom and when,
is noted in the task's meta. An annotator is not written as completed_by: Label Studio refuses tasks by people it has no account of.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from askwell.errors import UsageError
from askwell.exchange.predictions import Prediction
from askwell.exchange.records import (
    LABEL,
    SKIP,
    Claim,
    Problem,
    Reading,
    Record,
    checked,
    number_from,
    time_from,
    time_text,
)
from askwell.store.files import replace_file

CONTROL, IMAGE, ID = "label", "image", "askwell_id"  # names in the labelling interface and in a task's data
LOCAL_FILES = "/data/local-files/?d="  # where Label Studio serves files of its own machine
_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # what it puts before the name of an uploaded file


def write_label_studio(
    path: Path,
    records: Iterable[Record],
    predictions: Iterable[Prediction] = (),
    *,
    prefix: str = LOCAL_FILES,
    model: str = "askwell",
) -> None:
    """Replace the file atomically: a task for each item that has an answer or a prediction.

    prefix stands before each image's id in its address. Raises UsageError for text that no file can hold.
    """
    answered = {record.id: checked(record) for record in records}
    predicted = {prediction.id: prediction for prediction in predictions}
    tasks = [
        _task(item, answered.get(item), predicted.get(item), prefix, model)
        for item in dict.fromkeys([*answered, *predicted])
    ]
    text = json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"
    replace_file(path, lambda temporary: temporary.write_bytes(text.encode()))


def labelling_interface(classes: Sequence[str]) -> str:
    """The XML to paste into a Label Studio project, so that it shows these tasks."""
    choices = "\n".join(f"    <Choice value={_attribute(name)}/>" for name in classes)
    return (
        f'<View>\n  <Image name="{IMAGE}" value="${IMAGE}"/>\n'
        f'  <Choices name="{CONTROL}" toName="{IMAGE}" choice="single" showInline="true">\n{choices}\n  </Choices>\n</View>\n'
    )


def read_label_studio(path: Path) -> Reading:
    """The claims of the tasks in a JSON file, as askwell or Label Studio ("JSON") exports them.

    Raises UsageError for a file that holds no tasks; what is unclear in a task is a problem.
    """
    claims, problems, predictions = list[Claim](), list[Problem](), 0
    for number, task in enumerate(_tasks(path), start=1):
        predictions += len(_listed(task, "predictions"))
        for found in _claims(task, f"task {task.get('id', number)}"):
            (claims if isinstance(found, Claim) else problems).append(found)  # pyright: ignore[reportArgumentType]
    return Reading(claims, problems, predictions)


def read_predictions_of_tasks(path: Path) -> list[tuple[str, str, float | None]]:
    """(id, class, score) of each prediction in a file of tasks that askwell wrote; those without one class are passed over."""
    found = []
    for task in _tasks(path):
        for prediction in _listed(task, "predictions"):
            chosen = _choices(prediction)
            if isinstance(chosen, list) and len(chosen) == 1 and ID in task["data"]:
                found.append((task["data"][ID], chosen[0], number_from(prediction.get("score"))))
    return found


def _task(item: str, record: Record | None, prediction: Prediction | None, prefix: str, model: str) -> dict[str, Any]:
    task: dict[str, Any] = {"data": {IMAGE: prefix + quote(item), ID: item}}
    if record is not None:
        note = {"kind": record.kind, "annotator": record.annotator, "time": time_text(record.time)}
        task["annotations"] = [
            {"result": _result(record.label), "was_cancelled": record.kind != LABEL, "lead_time": record.duration}
        ]
        task["meta"] = {"askwell": note}
    if prediction is not None:
        score = max(prediction.probabilities.values())
        uncertainty = {name: getattr(prediction, name) for name in ("total", "aleatoric", "epistemic")}
        task["predictions"] = [{"model_version": model, "score": score, "result": _result(prediction.label)}]
        task.setdefault("meta", {})["askwell_prediction"] = {"probabilities": prediction.probabilities, **uncertainty}
    return task


def _result(label: str | None) -> list[dict[str, Any]]:
    if label is None:
        return []
    return [{"from_name": CONTROL, "to_name": IMAGE, "type": "choices", "value": {"choices": [label]}}]


def _tasks(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(
            f"expected Label Studio's tasks as JSON in {path}, found {error}; export them again."
        ) from None
    tasks = [found] if isinstance(found, dict) else found
    if not isinstance(tasks, list) or not all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks
    ):
        raise UsageError(
            f'expected a list of tasks with "data" in {path}, found other JSON; export as "JSON", not "JSON-MIN", from Label Studio.'
        )
    return tasks


def _claims(task: Mapping[str, Any], where: str) -> list[Claim | Problem]:
    """What the task's annotations say. Label Studio knows drafts and predictions too; they are nobody's answer."""
    data, meta = task["data"], task.get("meta")
    note = meta.get("askwell", {}) if isinstance(meta, dict) else {}
    own = isinstance(data.get(ID), str)
    names = (data[ID],) if own else _names(data)
    if not names:
        return [Problem("unclear answer", where, "its data names no image")]
    found = list[Claim | Problem]()
    for annotation in _listed(task, "annotations") or _listed(task, "completions"):
        cancelled, chosen = annotation.get("was_cancelled"), _choices(annotation)
        if not cancelled and (isinstance(chosen, str) or len(chosen) != 1):
            said = chosen if isinstance(chosen, str) else f"{len(chosen)} choices where one class is expected"
            found.append(Problem("unclear answer", names[0], f"{where}: {said}"))
            continue
        kind = (note.get("kind") if note.get("kind") not in (None, LABEL) else SKIP) if cancelled else LABEL
        moment = time_from(note.get("time") or annotation.get("created_at"))
        by, seconds = _annotator(annotation, note), number_from(annotation.get("lead_time"))
        found.append(Claim(names, None if cancelled else chosen[0], str(kind), by, moment, seconds, exact=own))
    return found


def _choices(annotation: Mapping[str, Any]) -> list[str] | str:
    """The classes that are chosen; a clause where it is not clear which control holds them."""
    results = [each for each in _listed(annotation, "result") if each.get("type") == "choices"]
    controls = {each.get("from_name") for each in results}
    if len(controls) > 1 and CONTROL not in controls:
        return f"choices of {', '.join(sorted(map(str, controls)))}, of which none is called {CONTROL!r}"
    return [
        str(choice)
        for each in results
        if len(controls) == 1 or each.get("from_name") == CONTROL
        for choice in (each.get("value") or {}).get("choices", [])
    ]


def _names(data: Mapping[str, Any]) -> tuple[str, ...]:
    """What may be the image's name: the path in its address, and the name that an uploaded file had before."""
    address = data.get(IMAGE) or next((value for value in data.values() if isinstance(value, str)), None)
    if not isinstance(address, str):
        return ()
    parts = urlsplit(address)
    local = parse_qs(parts.query, keep_blank_values=True, separator="&").get("d")
    path = local[0] if local else unquote(parts.path)
    folder, slash, name = path.rpartition("/")
    uploaded = "/upload/" in folder + slash and _UPLOADED.match(name)
    return (name[uploaded.end() :],) if uploaded else (path.removeprefix("/"),)


def _annotator(annotation: Mapping[str, Any], note: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    return str(by if by is not None else note.get("annotator") or "")


def _listed(mapping: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = mapping.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _attribute(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
