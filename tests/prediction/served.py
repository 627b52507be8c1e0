"""A small real server: OpenAI's chat completions over a model of ours, answered by transformers' own `generate`."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.prompts import Turn


@dataclass
class Served:
    """What a test sees of the server, and what it may spoil.

    Args:
        url: Through /v1.
        bodies: Of all requests that were answered.
        statuses: Given to the next requests in the place of answers.
        tells_logprobs: Whether chances of tokens are told.
        seconds: Waited before each answer.
        at_once: The most requests that stood at the same time.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    tells_logprobs: bool = True
    seconds: float = 0.0
    at_once: int = 0
    now: int = 0


def read_messages(messages: list[dict[str, Any]]) -> tuple[list[Turn], str, str, list[NDArray[np.uint8]]]:
    """Answered turns, the question, the beginning of its answer, and all films."""
    turns, films, asked, images = [], [], "", 0
    for message in messages:
        if message["role"] == "assistant":
            turns.append(Turn(asked, message["content"], images))
            asked = ""
            continue
        images = 0
        for part in message["content"]:
            if part["type"] == "text":
                asked = part["text"]
                continue
            data = base64.b64decode(part["image_url"]["url"].removeprefix("data:image/png;base64,"))
            films.append(np.asarray(Image.open(io.BytesIO(data))))
            images += 1
    begun = "" if asked else turns[-1].answer
    if not asked:
        last = turns.pop()
        asked, images = last.question, last.n_images
    return turns, asked, begun, films


@torch.inference_mode()
def complete(vlm: Vlm, body: dict[str, Any], *, tells_logprobs: bool) -> dict[str, Any]:
    turns, question, begun, films = read_messages(body["messages"])
    assert bool(begun) == bool(body.get("continue_final_message")), "an answer that is not at its end says so"
    prompts = vlm.prompts
    own = len(films) - sum(turn.n_images for turn in turns)
    ids = prompts.prompt_ids(question, own, turns) + (prompts.answer_ids(begun, ended=False) if begun else [])
    pixels = {}
    if films:
        pixels["pixel_values"] = vlm.card.preprocessing.pixel_values(np.stack(films)).to(vlm.model.dtype)
    prompt = torch.tensor([ids])
    output = vlm.model.generate(
        input_ids=prompt, attention_mask=torch.ones_like(prompt), **pixels, do_sample=False,
        max_new_tokens=body["max_tokens"], suppress_tokens=[prompts.image_token_id], output_logits=True,
        return_dict_in_generate=True, eos_token_id=vlm.tokenizer.eos_token_id, pad_token_id=vlm.tokenizer.pad_token_id,
    )  # fmt: skip
    written = output.sequences[0, len(ids) :].tolist()
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": prompts.decode(written)}}
    if tells_logprobs and body.get("logprobs"):
        logits = output.logits[0][0].float()
        logits[prompts.image_token_id] = -torch.inf
        chances, tokens = logits.log_softmax(-1).topk(body["top_logprobs"])
        told = [
            {"token": vlm.tokenizer.decode([token]), "logprob": chance}
            for token, chance in zip(tokens.tolist(), chances.tolist(), strict=True)
        ]
        choice["logprobs"] = {"content": [{**told[0], "top_logprobs": told}]}
    return {"choices": [choice], "usage": {"completion_tokens": len(written)}}


@contextmanager
def serve(vlm: Vlm) -> Iterator[Served]:
    """The server, on a port of this machine that is free."""
    served, lock = Served(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                served.now += 1
                served.at_once = max(served.at_once, served.now)
                status = served.statuses.pop(0) if served.statuses else 200
            time.sleep(served.seconds)
            reply: dict[str, Any] = {"error": {"message": f"asked: {body['messages']}"}}
            if status == 200:
                with lock:
                    reply = complete(vlm, body, tells_logprobs=served.tells_logprobs)
                    served.bodies.append(body)
                    served.headers.append(dict(self.headers))
            data = json.dumps(reply).encode()
            with lock:
                served.now -= 1
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
