"""Registries that are watched, a folder each; they are strangers to each other."""
