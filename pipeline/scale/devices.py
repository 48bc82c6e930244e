"""One training on several GPUs of a machine: W2S_DEVICES processes, a GPU each, that train the same model together.

The effective batch stays what it is, so the number of devices changes a result by rounding alone.
"""

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from torch import multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException

from pipeline.core.errors import InputError
from pipeline.core.parallel import single_thread
from pipeline.scale import machine

STOPPED = 3  # exit code of a process whose training stopped with a message


def count() -> int:
    """Devices to train on, W2S_DEVICES, by default 1."""
    text = os.environ.get("W2S_DEVICES") or "1"
    if not text.isdigit() or int(text) == 0:
        raise InputError(f"W2S_DEVICES is '{text}'; give a whole number of at least 1, or unset it")
    return int(text)


def spread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Result of ``function(*arguments)``, whose trainings run on all devices.

    With several, every process calls the function, and all keep one state; at the end this process calls it too and
    finds the trainings done.  Raises InputError when they stopped, for example at the end of the time budget.
    """
    if count() > 1:
        kind = machine.device().type
        try:
            multiprocessing.spawn(_process, (count(), _free_port(), kind, function, arguments), nprocs=count())
        except ProcessExitedException as error:
            if error.exit_code != STOPPED:
                raise
            raise InputError(f"training on {count()} devices stopped, see above") from None
    return function(*arguments)


def _process(
    rank: int, processes: int, port: int, kind: str, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    # What accelerate reads; the rank is also the number of the GPU.
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(processes),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU=str(kind == "cpu").lower(),
        W2S_DEVICE="cpu" if kind == "cpu" else f"cuda:{rank}",
    )
    single_thread()
    try:
        function(*arguments)
    except InputError as error:
        if rank == 0:
            print(f"error: {error}", file=sys.stderr)
        os._exit(STOPPED)  # the others may wait for this one in vain
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
