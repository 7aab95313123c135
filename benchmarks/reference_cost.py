"""Measured cost of the public reference on a CPU, to compare ``stages`` with.

Another machine than yours: the ratio to it says as much about the processors as about the code. Float32, torch 2.11.0,
made-up weights; the generator's figures are single calls without a warm-up, the others the best of three.
"""

from __future__ import annotations

MACHINE = "2 virtual cores of an AMD EPYC (Zen 3, AVX2, 2.25 GHz), shared with other work"

AUDIO = {
    1: {"mel": 0.0006, "ExpNet": 0.0772, "PoseVAE": 0.0813, "3DMM regressor": 0.1354},
    2: {"mel": 0.0008, "ExpNet": 0.0641, "PoseVAE": 0.058, "3DMM regressor": 0.1036},
}
"""Seconds by threads and stage: for a second of audio, the regressor for a picture."""

RENDER = {
    (256, 1, 1): {"keypoint detector": 0.56, "MappingNet": 0.0178, "generator": 17.14, "peak_memory_mib": 1986},
    (256, 1, 2): {"keypoint detector": 0.29, "MappingNet": 0.012, "generator": 9.47, "peak_memory_mib": 2114},
    (256, 2, 1): {"keypoint detector": 0.52, "MappingNet": 0.0061, "generator": 19.66, "peak_memory_mib": 2606},
    (256, 2, 2): {"keypoint detector": 0.36, "MappingNet": 0.0042, "generator": 12.43, "peak_memory_mib": 2545},
    (512, 1, 1): {"keypoint detector": 2.51, "MappingNet": 0.0225, "generator": 85.85, "peak_memory_mib": 3470},
    (512, 1, 2): {"keypoint detector": 1.24, "MappingNet": 0.0121, "generator": 47.05, "peak_memory_mib": 3579},
    (512, 2, 1): {"keypoint detector": 2.36, "MappingNet": 0.007, "generator": 84.78, "peak_memory_mib": 5420},
    (512, 2, 2): {"keypoint detector": 1.16, "MappingNet": 0.0042, "generator": 46.6, "peak_memory_mib": 5444},
}
"""By size, batch and threads: seconds for a frame (the detector: for a picture), and the process's peak memory."""
