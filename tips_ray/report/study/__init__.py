"""The report of a study of arms."""
