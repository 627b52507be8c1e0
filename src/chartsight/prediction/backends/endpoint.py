"""Answers by a server that speaks OpenAI's chat completions: vLLM, SGLang, `transformers serve`, and others.

    POST URL/chat/completions {"model": ..., "messages": [..., {"role": "user", "content": [image, text]}], ...}

A film is sent as the model's card pads it, as a PNG. The server puts the prompt together: it has to know the template
that the model was taught. Allowed answers are scored where the server tells the chances of tokens (`top_logprobs`) and
takes the beginning of an answer (`continue_final_message`): token by token, the likeliest beginning first, until no
other answer can be likelier. So the answer is that of exact scoring; the chances of the others are bounds from above.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import io
import ipaddress
import json
import math
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chartsight.errors import ChartsightError
from chartsight.prediction.backends import Ask, FilmAsks, Identity, Stored
from chartsight.prediction.backends.local import stored_answer
from chartsight.prediction.rules import DECODING
from chartsight.schema import TERMS, Terms
from chartsight.vlm.checkpoint import ModelCard
from chartsight.vlm.grammars import Scored, Weighed, Written
from chartsight.vlm.preprocessing import FilmPreprocessing
from chartsight.vlm.prompts import CHAT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chartsight.vlm.answering import Example

API_KEY = "CHARTSIGHT_API_KEY"  # of the environment: what the server wants as its bearer token
MAX_TOKENS = int(DECODING.partition("/")[2])
TOP = 20  # the most that OpenAI's own interface gives
TRIES = 6
WAITED_AT_MOST = 30.0  # seconds between two tries
PASSING = {408, 409, 425, 429, 500, 502, 503, 504}  # what may be otherwise a moment later
ENDS = {"", "</s>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "<eos>", "<end_of_turn>"}
MUST_STAY = TERMS[TERMS.index("credentialed") :]
# Of a model that is known by its served name alone.
SENT_PX = 448
UNKNOWN = FilmPreprocessing(size_px=SENT_PX, channels=3, fill=0, mean=(0.5,) * 3, std=(0.5,) * 3)


class EndpointError(ChartsightError):
    """An endpoint that does not answer, or cannot do what is asked of it."""


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, and how patiently.

    Args:
        url: Through the version, http://127.0.0.1:8000/v1.
        concurrency: Requests at once.
        timeout_seconds: Of one request.
    """

    url: str
    concurrency: int = 8
    timeout_seconds: float = 120.0

    @property
    def base(self) -> str:
        """Without a slash at the end."""
        return self.url.rstrip("/")

    @cached_property
    def is_near(self) -> bool:
        """Whether every address of its host is of this machine or a private network."""
        try:
            found = socket.getaddrinfo(urlsplit(self.url).hostname, None)
        except OSError as error:
            raise EndpointError(
                "no-endpoint", self.base, "its host is not known here", "a host that can be reached"
            ) from error
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        return all(each.is_loopback or each.is_private or each.is_link_local for each in addresses)


def check_endpoint(endpoint: Endpoint) -> None:
    """Nothing, when the endpoint is written as one.

    Raises:
        EndpointError: It is no http address, or its numbers are impossible.
    """
    parts = urlsplit(endpoint.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise EndpointError("bad-endpoint", "endpoint", "is no address of a server", "such as http://127.0.0.1:8000/v1")
    if endpoint.concurrency < 1 or endpoint.timeout_seconds <= 0:
        raise EndpointError(
            "bad-endpoint", "endpoint", "cannot be asked so", "1 request at once or more, a timeout > 0"
        )


def check_terms(endpoint: Endpoint, terms: Terms, *, attested: bool) -> None:
    """Nothing, when data under these terms may go to the endpoint.

    Raises:
        EndpointError: Credentialed or private data would leave this machine and network, and nobody attests it.
    """
    if terms in MUST_STAY and not attested and not endpoint.is_near:
        raise EndpointError(
            "terms", endpoint.base, f"is not on this machine or network, and the data are {terms}",
            "an endpoint of your own", "--attest says for this run that its terms allow to send them there",
        )  # fmt: skip


class EndpointBackEnd:
    """A model behind an endpoint.

    Args:
        endpoint: Where it is.
        served: The name by which the server knows the model.
        card: Of the model that is served; None when only its name is known: films are then sent at `SENT_PX` pixels.
        fingerprint: Of its weights, as far as known here.
    """

    def __init__(
        self, endpoint: Endpoint, served: str, card: ModelCard | None = None, fingerprint: str | None = None
    ) -> None:
        check_endpoint(endpoint)
        self.endpoint, self.served = endpoint, served
        self._tells = True  # chances of tokens, as far as known
        card = card or ModelCard(served, "known by its served name", "vicuna_v1", UNKNOWN, image_tokens=0)
        name = hashlib.sha256(f"{endpoint.base} {served}".encode()).hexdigest()[:16]
        self.identity = Identity(fingerprint or name, card, "served", f"openai:{endpoint.base}:{served}", CHAT)
        # A proxy of the environment is for the world outside: what is near is asked directly.
        handlers = [_NoRedirects(), *([urllib.request.ProxyHandler({})] if endpoint.is_near else [])]
        self._opener = urllib.request.build_opener(*handlers)

    def answer(self, films: Sequence[FilmAsks], examples: Sequence[Example]) -> Iterator[Sequence[Stored]]:
        """See `BackEnd`.

        Raises:
            EndpointError: It cannot be reached, answers with an error, or lacks what is needed.
        """
        if any(isinstance(ask.rule, Written) for each in films for ask in each.asks):
            raise EndpointError(
                "no-grammar", self.endpoint.base, "cannot be held to the form of a list or a number",
                "free text, or lists name by name", "--sets itemwise or generate, --scoring free",
            )  # fmt: skip
        shown = [(each, None if each.film is None else _png(each.film)) for each in examples]
        asks = self._asks(films)
        pool = ThreadPoolExecutor(self.endpoint.concurrency)
        running: set[Future[Stored]] = set()
        try:
            for messages, ask in asks(shown):
                running.add(pool.submit(self._answer, messages, ask))
                if len(running) >= 2 * self.endpoint.concurrency:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield [each.result() for each in done]
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield [each.result() for each in done]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _asks(self, films: Sequence[FilmAsks]) -> Any:
        def iterate(shown: Sequence[tuple[Example, str | None]]) -> Iterator[tuple[list[dict[str, Any]], Ask]]:
            for each in films:
                picture = None if each.film is None else _png(each.film)
                before: list[dict[str, Any]] = []
                for example, its_picture in shown:
                    before.append(_asked(example.question, None if picture is None else its_picture))
                    before.append({"role": "assistant", "content": example.answer})
                for ask in each.asks:
                    yield [*before, _asked(ask.question, picture)], ask

        return iterate

    def _answer(self, messages: list[dict[str, Any]], ask: Ask) -> Stored:
        started = time.perf_counter()
        if isinstance(ask.rule, Scored):
            chances = self._walk(messages, ask.rule.answers)
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            if not chances:
                return ask.key, {"error": f"no allowed answer is among the {TOP} likeliest beginnings"}
            best = max(ask.rule.answers, key=lambda answer: chances.get(answer, -math.inf))
            return ask.key, stored_answer(best, 0, {}, chances, milliseconds)
        is_weighed = isinstance(ask.rule, Weighed)
        reply = self._ask(messages, 1 if is_weighed else MAX_TOKENS, needed=is_weighed)
        text = reply["message"].get("content")
        if not isinstance(text, str):
            raise self._bad_reply("no text")
        first: dict[str, float] = {}
        for token, chance in _first_tokens(reply):
            if token.strip() in ("yes", "no"):
                first[token.strip()] = round(first.get(token.strip(), 0.0) + math.exp(chance), 6)
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        return ask.key, stored_answer(text.strip(), int(reply["n_tokens"]), first, {}, milliseconds)

    def _walk(self, messages: list[dict[str, Any]], answers: Sequence[str]) -> dict[str, float]:
        """Log-probability of each answer that the likeliest tokens tell of; see the top of this file.

        The likeliest beginning is always asked on first. When a whole answer is as likely as the likeliest beginning
        that is left, no other can be likelier: it is the answer that exact scoring gives.
        """
        chances: dict[str, float] = {}
        begun: list[tuple[float, str, list[str]]] = [(0.0, "", list(answers))]
        while begun:
            reached, said, alike = heapq.heappop(begun)
            if chances and max(chances.values()) >= -reached:
                heapq.heappush(begun, (reached, said, alike))
                break
            behind = self._tokens_behind(messages, said)
            told: dict[str, list[str]] = {}
            for answer in alike:
                rest = answer[len(said) :]
                fitting = [text for text in behind if (text in ENDS if not rest else text and rest.startswith(text))]
                if fitting:
                    told.setdefault(max(fitting, key=behind.__getitem__), []).append(answer)
            for text, of_answers in told.items():
                if text in ENDS:
                    chances[of_answers[0]] = behind[text] - reached
                else:
                    heapq.heappush(begun, (reached - behind[text], said + text, of_answers))
        # What stands here has not been read to its end: no more likely than this.
        return chances | {answer: -reached for reached, said, alike in begun if said for answer in alike}

    def _tokens_behind(self, messages: list[dict[str, Any]], said: str) -> dict[str, float]:
        """The likeliest tokens behind a beginning of the answer, and their log-probabilities."""
        begun = [*messages, {"role": "assistant", "content": said}] if said else messages
        behind: dict[str, float] = {}
        for token, chance in _first_tokens(self._ask(begun, 1, needed=True, goes_on=bool(said))):
            text = token if said else token.lstrip()
            behind[text] = max(chance, behind.get(text, -math.inf))
        return behind

    def _ask(
        self, messages: list[dict[str, Any]], max_tokens: int, *, needed: bool, goes_on: bool = False
    ) -> dict[str, Any]:
        """The first choice of a reply, and how many tokens it has."""
        body: dict[str, Any] = {
            "model": self.served, "messages": messages, "max_tokens": max_tokens, "temperature": 0, "stream": False,
            "logprobs": True, "top_logprobs": TOP,
        }  # fmt: skip
        if goes_on:  # vLLM's and SGLang's names for an answer that is not yet at its end
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if not (needed or self._tells):
            del body["logprobs"], body["top_logprobs"]
        try:
            reply = self._post(body)
        except EndpointError as error:
            if error.code != "refused" or needed or not self._tells:
                raise
            self._tells = False  # perhaps it minds being asked for chances
            return self._ask(messages, max_tokens, needed=needed, goes_on=goes_on)
        try:
            choice = dict(reply["choices"][0])
            choice["message"] = dict(choice["message"])
            choice["n_tokens"] = (reply.get("usage") or {}).get("completion_tokens") or 0
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._bad_reply("no choice") from None
        if needed and not _first_tokens(choice):
            raise EndpointError(
                "no-logprobs", self.endpoint.base, "does not tell the chances of tokens (top_logprobs)",
                "a server that does, for allowed answers and lists name by name", "--scoring free --sets generate",
            )  # fmt: skip
        return choice

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := os.environ.get(API_KEY):
            headers["Authorization"] = f"Bearer {key}"
        url = f"{self.endpoint.base}/chat/completions"
        data = json.dumps(body).encode()
        for nth in range(TRIES):
            pause = min(WAITED_AT_MOST, 0.25 * 2**nth)
            try:
                request = urllib.request.Request(url, data, headers)
                with self._opener.open(request, timeout=self.endpoint.timeout_seconds) as response:
                    reply = json.load(response)
                if not isinstance(reply, dict):
                    raise self._bad_reply("no object")
                return reply
            except urllib.error.HTTPError as error:
                # The server's own words may repeat what was asked: they are not shown.
                found = f"answers with status {error.code}"
                if error.code not in PASSING:
                    hint = (
                        f"is {self.served} served there, and does the server take films?" if error.code != 401 else ""
                    )
                    raise EndpointError("refused", url, found, "200", hint or f"set {API_KEY}") from None
                wanted = error.headers.get("Retry-After", "")
                pause = min(WAITED_AT_MOST, float(wanted)) if wanted.isdigit() else pause
            except json.JSONDecodeError:
                raise self._bad_reply("no JSON") from None
            except OSError as error:  # refused, reset, timed out
                found = f"cannot be reached ({getattr(error, 'reason', None) or type(error).__name__})"
            if nth + 1 < TRIES:
                time.sleep(pause)
        raise EndpointError("no-endpoint", url, f"{found}, {TRIES} times", hint="what was answered so far is kept")

    def _bad_reply(self, found: str) -> EndpointError:
        return EndpointError("bad-reply", self.endpoint.base, f"replies with {found}", "a chat completion")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is sent goes where the user said, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _asked(question: str, picture: str | None) -> dict[str, Any]:
    text = {"type": "text", "text": question.strip()}
    if picture is None:
        return {"role": "user", "content": [text]}
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}, text]}


def _png(film: NDArray[np.uint8]) -> str:
    """A padded film as a data URL."""
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.asarray(film)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _first_tokens(choice: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The likeliest first tokens and their log-probabilities; empty when the server tells none."""
    try:
        told = choice["logprobs"]["content"][0]["top_logprobs"]
        return [(str(each["token"]).replace("▁", " "), float(each["logprob"])) for each in told]
    except (KeyError, IndexError, TypeError, ValueError):
        return []
