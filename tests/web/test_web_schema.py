"""Requests made from the server's own description of itself find no error of its own."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from web_server import Served, write_images

EXAMPLES = 15  # of each operation


@pytest.fixture
def served(tmp_path: Path, serve) -> Served:
    write_images(tmp_path / "photos", 12)
    return serve(tmp_path / "photos")


def test_no_request_that_the_schema_allows_or_forbids_is_an_error_of_the_server(served: Served):
    client = served.client()
    description = client.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(description)
    paths = {operation.ok().label for operation in schema.get_all_operations()}
    assert {"GET /api/next", "POST /api/answers", "GET /api/images/{position}"} <= paths
    for result in schema.get_all_operations():
        operation = result.ok()
        cases = operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(cases, st.just(None))
        def ask(case, _):
            reply = client.request(
                case.method,
                case.formatted_path,
                params=case.query or None,
                json=case.body if isinstance(case.body, dict | list) else None,
            )
            assert reply.status_code < 500, (case, reply.text)

        ask()
    assert client.get("/api/state").status_code == 200
