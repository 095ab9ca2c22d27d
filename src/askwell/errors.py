"""Every error askwell raises on purpose. A message says what was expected, what was found, and what to do.

AskwellError
├── UsageError              the request is wrong; the command line exits with 2
│   ├── ShapeError          a tensor of the wrong shape or type (also a ValueError)
│   ├── UnknownNameError    a name that is not in a table; offers the nearest ones
│   ├── SettingsError       a setting that is unknown or out of range
│   ├── NameRefusedError    a class or annotator cannot be called that
│   ├── ItemNotFoundError   there is no item of that number
│   ├── CampaignExistsError a directory already holds a campaign
│   ├── DirectoryNotFoundError  a file was to be written where there is no directory (also a FileNotFoundError)
│   ├── DatasetNotFoundError  the files of a named data set are nowhere to be found
│   └── WeightsNotFoundError  a pre-trained network's weights are nowhere to be found
├── NotStochasticError      MC dropout was asked of a network without dropout
├── NonFiniteError          a network's output or a score is NaN or infinite
├── DatasetCorruptError     files do not match their published checksum
├── UnreadableImagesError   images of a pool cannot be decoded; says which and why
├── CampaignBusyError       another process holds this campaign
├── CampaignStateError      a campaign's directory does not hold what it should
├── StaleRequestError       what a page asks for has been overtaken by another answer or change
├── StoreUnavailableError   a campaign's database cannot be written: disk full, locked, read-only
└── WorkerDiedError         a worker process ended without saying why
"""

import difflib
from collections.abc import Callable, Iterable, Mapping

MOST_NAMES = 100  # that a message lists; timm has a thousand


class AskwellError(Exception):
    """Anything askwell refuses to do, in one sentence meant for a person."""


class UsageError(AskwellError):
    """The request itself is wrong; nothing was started."""


class ShapeError(UsageError, ValueError):
    """A tensor has another shape or type than the function takes."""


class UnknownNameError(UsageError):
    """A name is not in its table."""

    def __init__(self, kind: str, found: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(found, names, n=3, cutoff=0.6)
        more = f", ... ({len(names)} in all)" if len(names) > MOST_NAMES else ""
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(names[:MOST_NAMES])}{more}."
        super().__init__(f"there is no {kind} called {found!r}; {hint}")

    def __reduce__(self) -> tuple[Callable[[str], UsageError], tuple[str]]:
        return (
            _unknown_name_again,
            (str(self),),
        )  # a worker process sends it to its parent, which knows only the sentence


def _unknown_name_again(message: str) -> "UnknownNameError":
    error = UnknownNameError.__new__(UnknownNameError)
    error.args = (message,)
    return error


class SettingsError(UsageError):
    """A setting is unknown, missing or out of range."""


class NameRefusedError(UsageError):
    """A class or an annotator cannot have that name or key."""


class ItemNotFoundError(UsageError):
    """A campaign has no item of that number."""


class CampaignExistsError(UsageError):
    """A new campaign was to begin in a directory that holds one."""


class DirectoryNotFoundError(UsageError, FileNotFoundError):
    """A file was to be written into a directory that is not there."""


class DatasetNotFoundError(UsageError):
    """The files of a named data set are not on this machine and could not be fetched."""


class WeightsNotFoundError(UsageError):
    """The weights of a pre-trained network are not on this machine and could not be fetched."""


class NotStochasticError(AskwellError):
    """A network has no stochastic layer, so it has no posterior samples."""


class NonFiniteError(AskwellError):
    """A network's output or a score is NaN or infinite."""


class DatasetCorruptError(AskwellError):
    """The files of a data set differ from the published ones."""


class UnreadableImagesError(AskwellError):
    """Images of a pool cannot be decoded, or are not there any more; ``reasons`` says why, by position in the pool.

    A pool raises it for every unreadable image among those asked for, so that a caller can set them aside and go on with the rest.
    """

    def __init__(self, reasons: Mapping[int, str], first: str) -> None:
        others = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        reason = next(iter(reasons.values()))
        super().__init__(
            f"expected images that can be read, found {first!r} ({reason}){others}; repair or remove them."
        )
        self.reasons = dict(reasons)
        self._first = first

    def __reduce__(self) -> tuple[type["UnreadableImagesError"], tuple[Mapping[int, str], str]]:
        return type(self), (self.reasons, self._first)


class CampaignBusyError(AskwellError):
    """Another process is working on this campaign."""


class CampaignStateError(AskwellError):
    """A campaign's directory does not hold what it should."""


class StaleRequestError(AskwellError):
    """A page asks for something that another answer or change has overtaken; nothing was changed."""


class StoreUnavailableError(AskwellError):
    """A campaign's database cannot be written: the disk is full, the file is locked or read-only."""


class WorkerDiedError(AskwellError):
    """A worker process ended without saying why, as when the machine runs out of memory."""
