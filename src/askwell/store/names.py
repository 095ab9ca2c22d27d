"""What classes, annotators and keys may be called: names are shown to people, and end up in tables that a spreadsheet opens."""

import unicodedata

from askwell.errors import NameRefusedError

LONGEST_NAME = 100
FORMULA = "=+-@"  # a spreadsheet takes a cell that begins so for a formula
REFUSED = {"Cc", "Cs", "Zl", "Zp"}  # control characters, half characters, line and paragraph separators
JOINERS = "\u200c\u200d"  # of letters, and of emoji; whatever else cannot be seen makes two names look like one
BIDIRECTIONAL = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # they make a name look like another
COMMANDS = "bcghitu?"  # the page's own keys
KEYS = "1234567890qwerazxdnmjklopy"  # given to classes in this order; the letters are nobody else's


def check_name(kind: str, name: str) -> str:
    """The name in Unicode's NFC; NameRefusedError, which says why, for one that a class or an annotator (``kind``) cannot have."""
    reason = _why_not(name)
    if reason is not None:
        raise NameRefusedError(
            f"expected a name for the {kind}, found {name[:LONGEST_NAME]!r}, {reason}; choose another."
        )
    return unicodedata.normalize("NFC", name)


def check_key(key: str) -> str:
    """The key, in lower case; NameRefusedError for more than one character and for the page's own."""
    lower = key.lower()
    if len(lower) != 1 or not lower.isalnum() or not lower.isascii() or lower in COMMANDS:
        raise NameRefusedError(
            f"expected a digit or a letter but {', '.join(COMMANDS[:-1])} as the class's key, found {key[:8]!r}; choose another."
        )
    return lower


def _why_not(name: str) -> str | None:
    if not name.strip():
        return "which is empty"
    if name != name.strip():
        return "which begins or ends with a blank"
    if len(name) > LONGEST_NAME:
        return f"which is longer than {LONGEST_NAME} characters"
    if any(unicodedata.category(character) in REFUSED for character in name):
        return "which holds a control character"
    if any(unicodedata.category(each) == "Cf" and each not in JOINERS + BIDIRECTIONAL for each in name):
        return "which holds a character that cannot be seen"
    if all(character in JOINERS for character in name):
        return "which cannot be seen"
    if any(character in BIDIRECTIONAL for character in name):
        return "which holds a character that turns the direction of writing"
    if name[0] in FORMULA:
        return f"which begins with {name[0]}, as a formula does"
    return None
