"""Readers of pose data, one file a format."""
