"""What a fine-tuning has needed, and what the machine has."""

import resource
import sys

PEAK_MEMORY = (
    "GiB at the highest: on a GPU what PyTorch had allocated (torch.cuda.max_memory_allocated); elsewhere the resident "
    "set of the process, with its libraries and the loading of the weights (getrusage, ru_maxrss)"
)
GIB = 2**30


def peak_memory() -> float:
    """The most memory that this process has held so far, in GiB: the GPU's where one is used."""
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / GIB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / GIB if sys.platform == "darwin" else most * 1024 / GIB


def free_memory() -> tuple[float, str]:
    """How many bytes are free where a model would go, and what that place is called."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0]), f"the GPU ({torch.cuda.get_device_name()})"
    return float(psutil.virtual_memory().available), "this machine"
