"""Skeleton, geometry, metrics and anatomy of 17-joint poses."""
