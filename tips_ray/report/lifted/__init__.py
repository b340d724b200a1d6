"""The page of lifted clips."""
