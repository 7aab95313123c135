"""MEL -> COEFFICIENTS (expression), and the blinks that steer the eyelids."""
