"""ExpNet and PoseVAE with rule-made weights, under the names of the official files."""

from __future__ import annotations

from sadtalker_pack.sadtalker_core.expnet.model import ExpNet
from sadtalker_pack.sadtalker_core.posevae.discriminator import PoseDiscriminator
from sadtalker_pack.sadtalker_core.posevae.model import PoseEncoder, PoseVAE
from sadtalker_pack.tests.support.goldens import kit
from sadtalker_pack.tests.support.rule_weights import fill_by_rule

POSEVAE_PREFIXES = {"audio_encoder.": "audio2pose.audio_encoder.audio_encoder.", "decoder.": "audio2pose.netG.decoder."}


def rule_expnet() -> ExpNet:
    network = ExpNet()
    fill_by_rule(network, kit()["salt"], lambda key: f"audio2exp.{key}")
    return network


def rule_posevae() -> PoseVAE:
    network = PoseVAE()
    fill_by_rule(network, kit()["salt"], official_posevae_name)
    return network


def official_posevae_name(key: str) -> str:
    """The name of one of PoseVAE's tensors in the official file."""
    prefix = next(prefix for prefix in POSEVAE_PREFIXES if key.startswith(prefix))
    return POSEVAE_PREFIXES[prefix] + key.removeprefix(prefix)


def official_shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor of the official audio networks, training-only parts included, as our modules hold them."""
    parts = (
        (ExpNet(), lambda key: f"audio2exp.{key}"),
        (PoseVAE(), official_posevae_name),
        (PoseEncoder(46), lambda key: f"audio2pose.netG.encoder.{key}"),
        (PoseDiscriminator(), lambda key: f"audio2pose.netD_motion.{key}"),
    )
    return {name(key): tuple(tensor.shape) for module, name in parts for key, tensor in module.state_dict().items()}
