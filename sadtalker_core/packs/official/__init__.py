"""The official pack: the original's networks, number for number."""
