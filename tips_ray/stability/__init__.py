"""What curves over seeds tell: statistics, stop rules, and the summary of a campaign."""
