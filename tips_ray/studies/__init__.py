"""The questions that tips-ray answers, each with its command line."""
