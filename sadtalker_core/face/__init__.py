"""PICTURE -> COEFFICIENTS: landmarks, crop, 3DMM; and the parts of a face that all other rooms speak of."""
