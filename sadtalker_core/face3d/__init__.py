"""PICTURE -> COEFFICIENTS: landmarks, crop, 3DMM."""
