"""Runs of a study executed on Ray: Tune trials are arms, their Train workers are the seeds. The only code that knows Ray."""
