"""The answers as a file: a table, JSON lines, or Label Studio's tasks."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from askwell.exchange.csv_labels import write_csv
from askwell.exchange.json_lines import write_jsonl
from askwell.exchange.label_studio import write_label_studio
from askwell.exchange.records import KINDS, LABEL, Record
from askwell.store.labelling import LabellingStore
from askwell.web.bodies import Asking, AtDesk

router = APIRouter(prefix="/api")
EVERY = 2**31 - 1  # answers at most
MEDIA = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "labelstudio": "application/json"}
FILES = {"csv": "labels.csv", "jsonl": "labels.jsonl", "labelstudio": "tasks.json"}


@router.get("/export", response_class=Response)
def export(
    desk: AtDesk, _who: Asking, wanted: Annotated[Literal["csv", "jsonl", "labelstudio"], Query(alias="format")] = "csv"
) -> Response:
    """Every item's current answer, by everybody, in the pool's order."""
    records = current_records(desk.store)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / FILES[wanted]
        if wanted == "csv":
            write_csv(file, records)
        elif wanted == "jsonl":
            write_jsonl(file, records)
        else:
            write_label_studio(file, records)
        content = file.read_bytes()
    attachment = f'attachment; filename="{FILES[wanted]}"'
    return Response(content, media_type=MEDIA[wanted], headers={"Content-Disposition": attachment})


def current_records(store: LabellingStore) -> list[Record]:
    """What holds of each item, with the class's name as it is now."""
    classes, files = store.classes(), store.files()
    kinds = [each.id for each in classes.current] + [kind for kind in KINDS if kind != LABEL]
    said = sorted((each for kind in kinds for each in store.of_class(kind, EVERY)), key=lambda each: each.position)
    return [
        Record(
            files[each.position].id,
            None if each.class_id is None else classes.named(each.class_id).name,
            each.kind,
            each.annotator,
            each.time,
        )
        for each in said
    ]
