"""COEFFICIENTS -> COEFFICIENTS: tracks edited, mixed, laid over each other, measured, stored and drawn."""
