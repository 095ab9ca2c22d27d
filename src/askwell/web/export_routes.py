"""The answers as a file: a table, JSON lines, or Label Studio's tasks."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from askwell.exchange.csv_labels import write_csv
from askwell.exchange.json_lines import write_jsonl
from askwell.exchange.label_studio import write_label_studio
from askwell.exchange.records import Record
from askwell.store.labelling import LabellingStore
from askwell.web.bodies import Asking, AtDesk

router = APIRouter(prefix="/api")
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
    return [
        Record(each.id, each.label, each.kind, each.annotator, each.time, each.duration)
        for each in store.answers_in_full()
    ]
