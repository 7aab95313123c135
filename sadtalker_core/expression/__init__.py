"""Named controls of the face -> COEFFICIENTS: an editor's sliders, keyframes, and life without speech."""
