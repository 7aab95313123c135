import torch
from sadtalker_pack.sadtalker_core.posevae.discriminator import PoseDiscriminator
from sadtalker_pack.sadtalker_core.posevae.model import PoseEncoder, PoseVAE, PoseVAEConfig


def test_decoder_takes_a_batch_of_styles():
    posevae = PoseVAE(PoseVAEConfig(styles=3)).eval()
    motion = posevae.decode(torch.randn(2, 64), torch.tensor([0, 2]), torch.randn(2, 6), torch.randn(2, 32, 512))
    assert motion.shape == (2, 32, 6)


def test_encoder_and_discriminator_learn_from_motion():
    motion = torch.randn(2, 32, 6, requires_grad=True)
    encoder, discriminator = PoseEncoder(3), PoseDiscriminator()
    mean, log_variance = encoder(motion, torch.tensor([0, 2]), torch.randn(2, 6), torch.randn(2, 32, 512))
    scores = discriminator(motion)
    assert mean.shape == log_variance.shape == (2, 64)
    assert scores.shape == (2, 8)
    (mean.sum() + log_variance.sum() + scores.sum()).backward()
    assert motion.grad is not None
    assert all(part.grad is not None for part in (*encoder.parameters(), *discriminator.parameters()))
