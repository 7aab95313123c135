"""Files of tensors, read safely and written whole; and where the pack's own files lie."""
