"""A model spread over processes (FSDP2): every layer's weights in parts, put together while the layer is computed.

`fully_shard` is applied here, not asked of the Trainer, whose own FSDP2 on processors is DDP without a word
(transformers 5.23). So the same code runs on two processes of a laptop and on eight cards, and a test sees DTensors.

process 0    reads the base: layer 1, layer 2, ..., projector, tower, the rest
the others   hold nothing (`vlm.outline.load_hollow`); each part comes from process 0 and is cut up before the next
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chartsight.errors import CheckpointError
from chartsight.training.precision import use_bfloat16
from chartsight.training.recipe import AnswerRecipe

OPTIMIZER = "optimizer.pt"


def shard(learner: nn.Module, recipe: AnswerRecipe) -> nn.Module:
    """The model with every decoder layer, the projector, the tower and the rest in parts; itself when alone.

    Args:
        learner: With PEFT around it or without; on process 0 with its weights, on the others with or without.
        recipe: Decides what layers are computed in.
    """
    import torch.distributed as dist
    from accelerate import PartialState
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    processes = PartialState()
    if processes.num_processes == 1:
        return learner
    device = processes.device.type
    mesh = init_device_mesh(device, (dist.get_world_size(),))
    in_bfloat16 = recipe.weights != "float32" or use_bfloat16(recipe.precision)
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        if in_bfloat16
        else MixedPrecisionPolicy()
    )
    wrapped: Any = learner
    model = (wrapped.get_base_model() if hasattr(wrapped, "get_base_model") else wrapped).model
    if device == "cuda":
        torch.cuda.set_device(processes.device)
    for layer in model.language_model.layers:
        hand_out(layer, processes.device)
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    # The tower and the projector are called by themselves when a film is encoded, so each is a part of its own.
    for part in (model.vision_tower, model.multi_modal_projector):
        if any(True for _ in part.parameters()):
            hand_out(part, processes.device)
            fully_shard(part, mesh=mesh, mp_policy=policy)
    hand_out(learner, processes.device)
    fully_shard(learner, mesh=mesh, mp_policy=policy)
    return learner


def hand_out(part: nn.Module, device: torch.device) -> None:
    """Have weights and buffers of `part` on every process as they are on process 0; what is spread already stays.

    Args:
        part: The same everywhere; what holds nothing (`meta`) is made here.
        device: Of this process, where tensors pass.

    Raises:
        CheckpointError: Processes have other parts: their code or their folders differ.
    """
    import torch.distributed as dist

    own = {name: each for name, each in (*part.named_parameters(), *part.named_buffers()) if not is_spread(each)}
    told: list[Any] = [{name: (tuple(each.shape), each.dtype) for name, each in own.items()}]
    dist.broadcast_object_list(told, src=0, device=device)
    if {name: shape for name, (shape, _) in told[0].items()} != {name: tuple(each.shape) for name, each in own.items()}:
        raise CheckpointError("other-parts", type(part).__name__, "other weights than on process 0", "the same model")
    for name, (shape, dtype) in told[0].items():
        mine = own[name]
        value = torch.empty(shape, dtype=dtype, device=device) if mine.is_meta else mine.detach().to(device)
        dist.broadcast(value, src=0)
        if mine.is_meta:
            learns = mine.requires_grad
            # In place: what is tied stays tied.
            made = nn.Parameter(value, learns) if isinstance(mine, nn.Parameter) else value
            torch.utils.swap_tensors(mine, made)  # type: ignore[no-untyped-call]
        elif dist.get_rank():
            mine.detach().copy_(value)


def let_go(model: nn.Module) -> None:
    """Leave to each process its parts alone: after a forward without backward the outermost ones are still together."""
    for module in model.modules():
        spread: Any = module
        if hasattr(spread, "reshard"):
            spread.reshard()


def is_spread(tensor: Tensor) -> bool:
    """Whether a process holds a part of it only."""
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def gather_whole(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every weight put together, on process 0 alone, on the processor when it was spread; called by all at once."""
    from accelerate import PartialState

    kept: dict[str, Tensor] = {}
    tied: dict[int, Tensor] = {}  # by the address of this process's part: what is one tensor stays one
    for name, weight in weights.items():
        spread: Any = weight.detach()
        together: Tensor = spread.full_tensor() if is_spread(weight) else spread
        if PartialState().is_main_process:
            part = spread.to_local() if is_spread(weight) else spread
            kept[name] = tied.setdefault(part.data_ptr(), together.cpu() if is_spread(weight) else together)
    return kept


def put_whole(parameter: Tensor, value: Tensor) -> None:
    """`value` into a parameter; into a spread one each process's part of it."""
    if not is_spread(parameter):
        parameter.copy_(value)
        return
    from torch.distributed.tensor import distribute_tensor

    spread: Any = parameter
    parameter.copy_(distribute_tensor(value.to(spread.device), spread.device_mesh, spread.placements))


@contextlib.contextmanager
def without_exchange(model: nn.Module) -> Iterator[None]:
    """Gradients of the block stay with each process; the next backward outside of it exchanges the sum."""
    spread: Any = model
    if hasattr(spread, "set_requires_gradient_sync"):
        spread.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            spread.set_requires_gradient_sync(True)
    elif hasattr(spread, "no_sync"):
        with spread.no_sync():
            yield
    else:
        yield


def save_optimizer_state(model: nn.Module, optimizer: Any, folder: Path, writes: bool) -> None:
    """The moments of every weight that learns, put together, in `folder`; called by every process at once."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_optimizer_state_dict(model, _bare(optimizer), options=options)
    if writes:
        torch.save(state, folder / OPTIMIZER)


def load_optimizer_state(model: nn.Module, optimizer: Any, folder: Path) -> None:
    """The moments of `save_optimizer_state`, each process its part."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    state = torch.load(folder / OPTIMIZER, weights_only=True, mmap=True)  # of all processes one copy in memory
    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(model, _bare(optimizer), state, options=options)


def _bare(optimizer: Any) -> torch.optim.Optimizer:
    """The optimiser inside Accelerate's."""
    bare: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return bare
