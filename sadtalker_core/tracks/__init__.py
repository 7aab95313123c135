"""COEFFICIENTS -> COEFFICIENTS: edit, mix and combine tracks, add driving motion, measure, store and draw them."""
