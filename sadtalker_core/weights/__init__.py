"""FILES -> MODULES."""
