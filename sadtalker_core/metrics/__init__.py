"""Finished videos -> figures; the half of the evaluation that ships with the nodes."""
