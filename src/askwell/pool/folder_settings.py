"""What a folder of images can be told. Imports no torch."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LARGEST_SIZE = 1024  # of a decoded image: far beyond what a network for few labels reads


def _readable(path: object) -> object:
    if isinstance(path, str) and not path.isascii():
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ValueError("the folder's name is not UTF-8; rename it, or name it through a link") from None
    return path


class FolderSettings(BaseModel):
    """A data set in a folder: where images and labels are, what belongs together, and how large a network sees them.

    folder        the images, nested as they like
    labels        a table "file.csv" or "file.csv:image_column,label_column"; without it, a class per subfolder of the folder
    test_folder   other images to measure on; without it, test_share of the folder's images are kept for that
    test_labels   their table, as labels; without it, a class per subfolder of the test folder
    test_share    the share of the folder's images to keep, of every class
    group_by      which images belong together (a patient's, a video's): a regular expression on their ids, of which the first
                  group counts, or "file.csv:column"; no group is ever on both sides of a split
    size          the side that images are decoded to; without it the images' own if it is small and the same for all, else 64
    channels      "grey", "rgb", or "auto": grey if all images are
    fit           how an image becomes square: "squash" it, "crop" its middle, or "pad" it with black
    classes       the classes in their order; without it, the labels found, sorted
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[str, Field(min_length=1), BeforeValidator(_readable)]
    labels: Annotated[str, Field(min_length=1)] | None = None
    test_folder: Annotated[str, Field(min_length=1), BeforeValidator(_readable)] | None = None
    test_labels: Annotated[str, Field(min_length=1)] | None = None
    test_share: float = Field(default=0.2, gt=0, lt=1)
    group_by: Annotated[str, Field(min_length=1)] | None = None
    size: int | None = Field(default=None, ge=1, le=LARGEST_SIZE)
    channels: Literal["auto", "grey", "rgb"] = "auto"
    fit: Literal["squash", "crop", "pad"] = "squash"
    classes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "FolderSettings":
        if self.test_labels is not None and self.test_folder is None:
            raise ValueError("test_labels needs the test_folder whose images it labels")
        if self.classes and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes) or "" in self.classes):
            raise ValueError("classes must be at least 2 distinct names")
        return self
