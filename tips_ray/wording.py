"""Words that messages and pages share."""


def counted(count: int, thing: str) -> str:
    """How many of a thing there are: "1 frame", "2,000 frames"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
