"""One folder for each pack: its networks, what joins them, and how they are loaded."""
