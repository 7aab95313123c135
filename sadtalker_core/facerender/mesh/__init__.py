"""The open pack's renderer: a layered warp of the portrait, driven by the face mesh."""
