"""Where and how precisely to compute: "auto" is resolved once, and what it became is recorded."""

import torch

from askwell.arithmetic import products
from askwell.errors import SettingsError


def resolve_device(device: str) -> str:
    """ "auto" becomes "cuda" or "cpu"; a device that is not there is a SettingsError."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SettingsError(
            f'expected a device that this machine has, found {device!r}; use "cpu" or "auto" for device.'
        ) from error
    return device


def resolve_precision(precision: str, device: str) -> str:
    """ "auto" becomes "bf16" where the device multiplies bf16 natively, else "fp32"; a precision that it lacks is a SettingsError."""
    if precision != "auto":
        with products(precision, torch.device(device)):
            return precision
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"
