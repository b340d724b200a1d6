"""The page of `tips-ray transfer`."""
