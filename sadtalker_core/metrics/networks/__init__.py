"""Published networks that measure videos; their files are not shipped."""
