"""`transformers serve`, a server that is not ours: what it says of a film is what this process says of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chartsight.errors import ChartsightError
from chartsight.prediction.backends import Ask, FilmAsks
from chartsight.prediction.backends.endpoint import Endpoint, EndpointBackEnd
from chartsight.prediction.backends.local import LocalBackEnd
from chartsight.prediction.rules import YES_NO
from chartsight.vlm.answering import Example
from tests.fixtures_other_models import write_idefics3

pytestmark = pytest.mark.slow
LONGEST_START = 300.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason=f"{package} is not installed (pip install 'transformers[serving]')")
    return write_idefics3(tmp_path_factory.mktemp("served") / "tiny")


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        "serve",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
        "--dtype",
        "float32",
    ]
    server = subprocess.Popen(
        [sys.executable, "-c", "from transformers.cli.transformers import main; main()", *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + LONGEST_START
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < until, "the server does not start"
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


def film(nth: int, side: int) -> NDArray[np.uint8]:
    return np.random.default_rng([3, nth]).integers(0, 256, (side, side), dtype=np.uint8)


@pytest.mark.parametrize("shots", [0, 1])
def test_it_says_what_this_process_says(model: Path, url: str, shots: int) -> None:
    local = LocalBackEnd(model, "cpu")
    side = local.identity.card.preprocessing.size_px
    back_end = EndpointBackEnd(Endpoint(url, 2), str(model), local.identity.card, local.identity.fingerprint)
    texts = ("Is there a pleural effusion?", "Which findings are present?")
    films = [
        FilmAsks(film(nth, side) if nth else None, tuple(Ask(f"{nth}-{text}", text) for text in texts))
        for nth in range(3)
    ]
    examples = [Example(film(9, side), "Is the heart enlarged?", "no")] * shots
    here, there = (dict(each for part in who.answer(films, examples) for each in part) for who in (local, back_end))
    assert {key: each["text"] for key, each in there.items()} == {key: each["text"] for key, each in here.items()}
    assert len({each["text"] for each in here.values()}) == 6, "otherwise the film moves nothing"


def test_it_tells_no_chances_and_is_refused_for_allowed_answers(model: Path, url: str) -> None:
    back_end = EndpointBackEnd(Endpoint(url, 1), str(model))
    with pytest.raises(ChartsightError) as caught:
        list(back_end.answer([FilmAsks(None, (Ask("k", "Is there a tube?", YES_NO),))], []))
    assert caught.value.code == "no-logprobs"
