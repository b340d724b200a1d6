"""The page of a set of poses."""
