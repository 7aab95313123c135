"""MEL -> COEFFICIENTS (head pose)."""
