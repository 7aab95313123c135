"""COEFFICIENTS -> KEYPOINTS -> FRAMES: the protocols that a pack fulfils, and the loop over the frames."""
