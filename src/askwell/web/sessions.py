"""Who may label: a token of 256 bits for each annotator. Only its hash is kept, in the user's own directory, not in the campaign."""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, final

from platformdirs import user_state_path

from askwell.store.files import replace_file

STATE = "ASKWELL_STATE"  # the environment variable that names another directory
TOKEN_BYTES = 32
MOST_TOKENS = 16  # of one annotator, the latest ones: pages that are open stay so when the command is started again
DAYS = 30


class Session(NamedTuple):
    """A token that is good: whose it is."""

    annotator: str


def sessions_file(campaign: Path) -> Path:
    """Where the hashes of a campaign's tokens are kept."""
    directory = Path(os.environ.get(STATE) or user_state_path("askwell", appauthor=False)) / "sessions"
    return directory / f"{campaign_hash(campaign)}.json"


def campaign_hash(campaign: Path) -> str:
    """A name for the campaign in a directory: 16 hexadecimal digits."""
    return hashlib.sha256(os.fsencode(campaign.resolve())).hexdigest()[:16]


def issue_tokens(campaign: Path, annotators: Iterable[str]) -> dict[str, str]:
    """A new token for each annotator; their hashes are written down, and those of annotators who are not named any more forgotten."""
    file = sessions_file(campaign)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = time.time()
    tokens = {annotator: secrets.token_urlsafe(TOKEN_BYTES) for annotator in annotators}
    known = _read(file)
    kept = {
        annotator: [*known.get(annotator, [])[-(MOST_TOKENS - 1) :], [_hash(token), now]]
        for annotator, token in tokens.items()
    }
    text = json.dumps(kept)

    def write(path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)

    replace_file(file, write)
    return tokens


@final
class Sessions:
    """The tokens of one campaign, as the file has them now: another start of the command adds to it."""

    def __init__(self, campaign: Path) -> None:
        self._file = sessions_file(campaign)
        self._name = f"askwell-{campaign_hash(campaign)}-"
        self._stamp: tuple[int, int] | None = None
        self._by_hash: dict[str, tuple[str, float]] = {}

    def find(self, token: str) -> Session | None:
        """Whose token this is; None for one that is nobody's or too old."""
        self._refresh()
        found = self._by_hash.get(_hash(token))
        if found is None or time.time() - found[1] > DAYS * 86_400:
            return None
        return Session(found[0])

    def of_cookies(self, cookies: Mapping[str, str]) -> Session | None:
        """Who sends these cookies; a cookie counts only under its annotator's own name."""
        for name, value in cookies.items():
            if name.startswith(self._name):
                session = self.find(value)
                if session is not None and name == self.cookie_name(session.annotator):
                    return session
        return None

    def cookie_name(self, annotator: str) -> str:
        """The cookie of an annotator: whoever works on several campaigns, or as several people, in one browser mixes nothing up."""
        plain = annotator.isascii() and all(character.isalnum() or character in "-_" for character in annotator)
        return self._name + (annotator if plain else hashlib.sha256(annotator.encode()).hexdigest()[:16])

    def is_ours(self, cookie: str) -> bool:
        """Whether a cookie of that name belongs to some annotator of this campaign."""
        return cookie.startswith(self._name)

    def _refresh(self) -> None:
        try:
            status = self._file.stat()
        except OSError:
            self._by_hash, self._stamp = {}, None
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            known = _read(self._file)
            self._by_hash = {digest: (name, at) for name, tokens in known.items() for digest, at in tokens}
            self._stamp = stamp


def _read(file: Path) -> dict[str, list[tuple[str, float]]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): [(str(digest), float(at)) for digest, at in tokens] for name, tokens in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
