"""What lies on disk: folders, curves, records and measurements of campaigns. Knows no torch."""
