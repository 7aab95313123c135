"""The open pack: a 3DMM of 478 vertices, and a renderer that moves the portrait itself."""
