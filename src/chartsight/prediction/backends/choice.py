"""Which back end answers, from what a user says."""

from __future__ import annotations

from pathlib import Path

from chartsight.errors import ChartsightError, CheckpointError
from chartsight.prediction.backends import ENGINES, BackEnd, Engine
from chartsight.prediction.backends.endpoint import Endpoint, EndpointBackEnd
from chartsight.prediction.backends.local import LocalBackEnd
from chartsight.vlm.checkpoint import fingerprint, model_folder, read_card


def open_back_end(
    model: str | Path,
    device: str | None = None,
    *,
    engine: Engine = "local",
    workers: int = 2,
    endpoint: Endpoint | None = None,
    served: str | None = None,
) -> BackEnd:
    """Where the answers of a model come from; nothing is loaded, and nobody asked.

    Args:
        model: A shipped name, a model folder or a training run; of an endpoint also the name by which it is served.
        device: cpu, cuda, ...; the GPU when there is one. Not of an endpoint.
        engine: This process, or Ray's workers.
        workers: Of Ray.
        endpoint: The server that answers.
        served: Its name of the model; that of the model's card, or what `model` says.

    Raises:
        CheckpointError: There is no such model.
        ChartsightError: No such engine; no such endpoint; Ray is not installed.
    """
    if engine not in ENGINES:
        raise ChartsightError("no-engine", "engine", repr(engine), " or ".join(ENGINES))
    if endpoint is not None:
        if engine != "local":
            raise ChartsightError("no-engine", "engine", f"{engine} beside an endpoint", "one of them")
        try:
            folder = model_folder(model)
        except CheckpointError:
            return EndpointBackEnd(endpoint, served or str(model))
        card = read_card(folder)
        return EndpointBackEnd(endpoint, served or card.name, card, fingerprint(folder))
    if engine == "ray":
        from chartsight.prediction.backends.ray_data import RayBackEnd

        return RayBackEnd(model, device, workers)
    return LocalBackEnd(model, device)
