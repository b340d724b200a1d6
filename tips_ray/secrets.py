"""Passwords and keys in URIs and messages, which are printed and recorded nowhere."""

import re

WORDS = r"passw(?:or)?d|pwd|secret|token|credential|signature|\bsas|(?:access|account|api|shared|storage)[_-]?key"
NAMES = rf"[\w.%-]*(?:{WORDS})[\w.%-]*|sig|sas"
IS_URI = re.compile(r"[\w+.-]+://")


def without_secrets(text: str) -> str:
    """A URI, or a text that may hold some, as it may be shown: `***` in place of the passwords of
    users, and of the values of options such as `secret_key=` and `token=`."""
    if IS_URI.match(text):  # alone, so that spaces and quotes belong to it
        text = re.sub(r"(?s)(://[^:/@]*):.*@", r"\1:***@", text)
        return re.sub(rf"(?i)(?<![\w.-])({NAMES})=[^&]*", r"\1=***", text)
    text = re.sub(r"""(?s)(["'])([\w+.-]+://[^:/@"']*):((?:(?!\1).)*)@""", r"\1\2:***@", text)
    text = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)
    return re.sub(rf"""(?i)(?<![\w.-])({NAMES})=[^&\s"']*""", r"\1=***", text)
