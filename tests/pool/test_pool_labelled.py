"""Labelled images from tuples and data sets, and the sentences for labels that do not fit."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from askwell.errors import ShapeError, UsageError
from askwell.pool.images import LabelledImages, as_labelled, as_pool


class Pictures(Dataset):
    """What torchvision's data sets look like."""

    classes: object = ("ant", "bee", "cow")
    target_transform = transforms = None

    def __init__(self, labels):
        self.targets, self.read = labels, 0

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        self.read += 1
        image, label = torch.zeros(1, 2, 2), self.targets[index]
        if self.target_transform:
            label = self.target_transform(label)
        return self.transforms(image, label) if self.transforms else (image, label)


class WrappedTransform:
    """What torchvision makes of separate transforms."""

    def __init__(self, target_transform):
        self.target_transform = target_transform

    def __call__(self, image, label):
        return image, self.target_transform(label) if self.target_transform else label


def flipped(label):
    return 2 - label


def images(count=3):
    return torch.zeros(count, 1, 2, 2, dtype=torch.uint8)


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, 1],
        torch.tensor([2, 0, 1]),
        np.array([2, 0, 1], np.uint8),
        torch.tensor([2, 0, 1], dtype=torch.int32),
        (2, 0, 1),
    ],
)
def test_a_tuple_of_images_and_labels(labels):
    labelled = as_labelled((images(), labels))
    assert labelled.labels.tolist() == [2, 0, 1]
    assert labelled.labels.dtype == torch.int64
    assert labelled.classes == ("0", "1", "2")
    assert len(labelled) == 3
    assert as_labelled(labelled) is labelled


def test_ids_and_classes_can_be_given():
    labelled = as_labelled((images(), [0, 0, 1]), ids=["x", "y", "z"], classes=["no", "yes", "unsure"])
    assert labelled.images.ids[2] == "z"
    assert labelled.classes == ("no", "yes", "unsure")
    for setting in ({"ids": ["a", "b", "c"]}, {"classes": ["no", "yes"]}):
        with pytest.raises(UsageError, match="leave them out"):
            as_labelled(labelled, **setting)


def test_a_pool_in_the_tuple_keeps_its_ids():
    pool = as_pool(images(), ids=["x", "y", "z"])
    assert as_labelled((pool, [0, 1, 0])).images is pool


def test_torchvisions_targets_are_taken_without_reading_the_images():
    data = Pictures([2, 0, 1, 1])
    data.transforms = WrappedTransform(target_transform=None)
    labelled = as_labelled(data)
    assert labelled.labels.tolist() == [2, 0, 1, 1]
    assert labelled.classes == ("ant", "bee", "cow")
    assert data.read <= 2


@pytest.mark.parametrize("how", ["of the label", "of both, wrapped", "of both"])
def test_transformed_labels_are_read_from_the_items(how):
    data = Pictures([1, 0, 2])  # the first label stays as it is, so that only the transform tells
    if how == "of the label":
        data.target_transform = flipped
    else:
        data.transforms = (
            WrappedTransform(flipped) if how == "of both, wrapped" else lambda image, label: (image, flipped(label))
        )
    assert as_labelled(data).labels.tolist() == [1, 2, 0]


def test_targets_that_are_not_the_labels_are_not_believed():
    class Relabelled(Pictures):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, 2 - label

    assert as_labelled(Relabelled([2, 0, 1])).labels.tolist() == [0, 2, 1]


def test_a_data_set_without_targets_or_classes_is_read_once():
    labelled = as_labelled(TensorDataset(images(), torch.tensor([1, 0, 1])))
    assert labelled.labels.tolist() == [1, 0, 1]
    assert labelled.classes == ("0", "1")
    assert as_labelled([(images()[0], 1), (images()[0], np.int64(0))]).labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        ((images(), [0, 1]), ShapeError, r"one int64 label for each of 3 images, found torch.int64 \[2\]"),
        ((images(), [0.0, 1.0, 1.0]), ShapeError, r"labels \[N\] as integers, found torch.float64 \[3\]"),
        ((images(), [True, False, True]), ShapeError, "as integers, found torch.bool"),
        ((images(), [[0], [1], [1]]), ShapeError, r"found torch.int64 \[3, 1\]"),
        ((images(), ["a", "b", "a"]), ShapeError, "one integer label for each image, found a list of str, str, str"),
        ((images(), [[0], [1, 2], 3]), ShapeError, "one integer label for each image"),
        ((images(), [0, -1, 1]), UsageError, "labels from 0 to 1 for 2 classes, found -1 to 1"),
        ((images(), [0, 0, 0]), UsageError, r"at least 2 distinct class names, found \['0'\]"),
        ((images(), [0, 1, 1], 5), UsageError, r"found a tuple of Tensor, list, int"),
        (images(), UsageError, "expected labelled images, .* found a Tensor"),
        ("mnist", UsageError, "expected labelled images, .* found the text 'mnist'"),
        ([], UsageError, "at least one image, found an empty one"),
        (
            [images()[0], images()[0]],
            UsageError,
            r"\(image, integer label\) from the data set, found a Tensor at position 0",
        ),
        ([(images()[0], 0), (images()[0], "bee")], UsageError, "found a tuple of Tensor, str at position 1"),
        ([(images()[0], 0), (images()[0], True)], UsageError, "found a tuple of Tensor, bool at position 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(source, error, sentence):
    with pytest.raises(error, match=sentence):
        as_labelled(source)


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (["no", "no"], r"distinct class names, found \['no', 'no'\]"),
        (["no", ""], "distinct class names"),
        (["only"], "at least 2"),
        ("no,yes", "found the text 'no,yes'; pass a list of names"),
        (["no", "yes"], "labels from 0 to 1 for 2 classes, found 0 to 2"),
    ],
)
def test_classes_that_do_not_fit_are_refused(classes, sentence):
    with pytest.raises(UsageError, match=sentence):
        as_labelled((images(), [0, 1, 2]), classes=classes)


def test_classes_of_a_data_set_that_are_no_names_are_refused():
    data = Pictures([0, 1])
    data.classes = (("tench", "Tinca tinca"), ("goldfish",))
    with pytest.raises(UsageError, match=r"at least 2 distinct class names, found .*tench"):
        as_labelled(data)
    assert as_labelled(data, classes=["tench", "goldfish"]).classes == ("tench", "goldfish")


def test_labels_of_another_type_are_refused_in_plain_code(plain_error):
    setup = (
        "import torch; from askwell.pool.images import LabelledImages, as_pool; pool = as_pool(torch.zeros(2, 3, 3));"
    )
    assert plain_error(f"{setup} LabelledImages(pool, torch.tensor([0.0, 1.0]), ('a', 'b'))") == (
        "ShapeError: expected one int64 label for each of 2 images, found torch.float32 [2]."
    )


def test_labelled_images_made_by_hand():
    labelled = LabelledImages(as_pool(images()), torch.tensor([1, 0, 1]), ("no", "yes"))
    assert [labelled.classes[label] for label in labelled.labels] == ["yes", "no", "yes"]


def test_groups_are_one_for_each_image(plain_error):
    pool = as_pool(images())
    grouped = LabelledImages(pool, torch.tensor([1, 0, 1]), ("no", "yes"), ("p", "q", "p"))
    assert grouped.groups == ("p", "q", "p")
    with pytest.raises(ShapeError, match="one group for each of 3 images, found 2"):
        LabelledImages(pool, torch.tensor([1, 0, 1]), ("no", "yes"), ("p", "q"))
