"""Face restoration files with the names and shapes of the published ones, and random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from spandrel.architectures.GFPGAN import GFPGAN
from spandrel.architectures.RestoreFormer import RestoreFormer
from torch import nn


def gfpgan() -> nn.Module:
    """GFPGAN as in versions 1.2 to 1.4, which differ in nothing but their weights."""
    return _filled(GFPGAN)


def restoreformer() -> nn.Module:
    return _filled(
        lambda: RestoreFormer(
            n_embed=1024,
            embed_dim=256,
            ch=64,
            out_ch=3,
            ch_mult=(1, 2, 2, 4, 4, 8),
            num_res_blocks=2,
            attn_resolutions=(16,),
            dropout=0.0,
            in_channels=3,
            resolution=512,
            z_channels=256,
            double_z=False,
            enable_mid=True,
            head_size=8,
        )
    )


def write_gfpgan(path: Path) -> Path:
    """As published: the network is a group of the file."""
    torch.save({"params_ema": gfpgan().state_dict()}, path)
    return path


def write_restoreformer(path: Path) -> Path:
    torch.save({"params": restoreformer().state_dict()}, path)
    return path


def _filled(make) -> nn.Module:
    """A network made without its own slow filling, then filled so that signals keep their size."""
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    random = torch.Generator().manual_seed(7)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            tensor.zero_()
        elif tensor.ndim > 1:
            inputs = tensor[0].numel() if not name.startswith("stylegan_decoder.noises") else 1
            tensor.normal_(0, inputs**-0.5, generator=random)
        else:
            tensor.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return network.eval()
