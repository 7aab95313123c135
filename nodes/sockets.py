"""Socket types of the pack. The values are frozen dataclasses. The names are global and therefore have a prefix."""

from __future__ import annotations

from comfy_api.latest import io

Pack = io.Custom("SADTALKER_PACK")
"""``host.HostedPack``: the networks of one release, held by the host's model manager"""
Mel = io.Custom("SADTALKER_MEL")
"""``flow.MelWindows``"""
Face = io.Custom("SADTALKER_FACE")
"""``flow.SourceFace``"""
Coeffs = io.Custom("SADTALKER_COEFFS")
"""``flow.Coefficients``"""
Blink = io.Custom("SADTALKER_BLINK")
"""``flow.BlinkCurve``"""
Keypoints = io.Custom("SADTALKER_KEYPOINTS")
"""``flow.Keypoints``"""
Restorer = io.Custom("SADTALKER_RESTORER")
"""``enhance.HostedRestorer``: a face restoration network, held by the host's model manager; or None"""
