"""The HTTP API against its own description, by Schemathesis, which knows what clients get wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
import pytest

from collab.auth.tokens import Tokens
from collab.core.connection import Access
from tests.support.server import Server

SECRET: Final = "s" * 64
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["admin", "view", "nobody"])
@pytest.mark.parametrize("examples", [10, pytest.param(1_000, marks=[pytest.mark.long, pytest.mark.timeout(3_600)])])
def test_every_answer_is_in_the_description(tmp_path: Path, role: str, examples: int) -> None:
    """E1, E5: and none is an error of the server, whoever asks and whatever for."""
    settings = {"secret": SECRET, "requests_per_second": 100_000, "requests_at_once": 100_000}
    with Server.running(tmp_path / "data", "--anonymous", "none", **settings) as server:
        owner = _bearer(Access.ADMIN)
        words = {**owner, "content-type": "text/plain"}
        for name in ("notes", "0"):
            assert 201 == httpx.put(f"{server.url}/api/documents/{name}", content="hello", headers=words).status_code
        headers = {} if role == "nobody" else _bearer(Access(role))
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.url}/api/openapi.json"]
        command += ["--no-color", "--max-examples", str(examples), "--seed", "1", "--checks", ",".join(CHECKS)]
        command += ["--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"]
        command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "17 selected" in done.stdout


def _bearer(access: Access) -> dict[str, str]:
    token = Tokens(SECRET.encode).issue(["*"], access, seconds=86_400, id=access.value)
    return {"authorization": f"Bearer {token}"}
