"""A folder as a pool: its images against what was stored, and what becomes of those that cannot be read."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import noise, png_of_size, slopes, stored_pixels
from PIL import Image

from askwell.errors import DatasetNotFoundError, UnreadableImagesError, UsageError
from askwell.pool.datasets import load_dataset
from askwell.pool.decoding import ImageForm, choose_form, decode
from askwell.pool.folder import CHANGED, FolderPool
from askwell.pool.images import Pool
from askwell.pool.listing import ListedImage, list_images
from askwell.pool.reading import HashedPool, read_ahead, read_images

FORM = ImageForm(10, 1)
COUNT = 70


def pixels_of(number: int) -> np.ndarray:
    return noise(10, 10, seed=number)


def write(root: Path, count: int = COUNT) -> list[ListedImage]:
    """Images in nested folders, the same file names in each."""
    for number in range(count):
        path = root / f"{number % 3}" / f"{number % 2}" / f"{number // 6}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored_pixels(pixels_of(number)))
    return [ListedImage(name := f"{number % 3}/{number % 2}/{number // 6}.png", name) for number in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FolderPool]:
    root = tmp_path_factory.mktemp("folder")
    pool = FolderPool(root, write(root), FORM, workers=2)
    yield pool
    pool.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., FolderPool]]:
    """Pools of what is in tmp_path, each image its own size."""
    made: list[FolderPool] = []

    def make_pool(items: list[ListedImage], form: ImageForm = FORM, **options: object) -> FolderPool:
        made.append(FolderPool(tmp_path, items, form, workers=1, **options))
        return made[-1]

    yield make_pool
    for pool in made:
        pool.close()


def reasons_of(pool: FolderPool, positions: list[int]) -> dict[int, str]:
    with pytest.raises(UnreadableImagesError) as caught:
        pool.images(torch.tensor(positions))
    return caught.value.reasons


@pytest.mark.parametrize(
    "positions", [[], [0], [69, 0, 33], list(range(COUNT)), [5, 5, 1, 5, 1], list(range(COUNT))[::-1] * 2]
)
def test_images_are_those_stored_in_any_order_with_repeats(folder: FolderPool, positions: list[int]):
    images = folder.images(torch.tensor(positions, dtype=torch.int64))
    assert images.dtype == torch.uint8
    assert images.shape == (len(positions), 1, 10, 10)
    assert all((images[row, 0].numpy() == pixels_of(position)).all() for row, position in enumerate(positions))


def test_it_is_a_pool_with_ids(folder: FolderPool):
    assert isinstance(folder, Pool)
    assert isinstance(folder, HashedPool)
    assert len(folder) == len(folder.ids) == COUNT
    assert folder.ids[4] == "1/0/0.png"
    assert folder.image_shape == (1, 10, 10)
    for wrong in ([-1], [COUNT]):
        with pytest.raises(UsageError, match="expected positions from 0 to 69"):
            folder.images(torch.tensor(wrong))


def test_a_reader_thread_and_others_get_their_own_images(folder: FolderPool):
    parts = list(torch.arange(COUNT).split(16))
    read: list[torch.Tensor] = []
    ahead = threading.Thread(target=lambda: read.extend(part.images for part in read_ahead(folder, parts)))
    ahead.start()
    for _ in range(5):
        assert (folder.images(torch.tensor([7]))[0, 0].numpy() == pixels_of(7)).all()
    ahead.join()
    assert (torch.cat(read)[:, 0].numpy() == np.stack([pixels_of(number) for number in range(COUNT)])).all()


def test_new_hashes_are_of_what_was_read_for_the_first_time(tmp_path: Path, make: Callable[..., FolderPool]):
    pool = make(write(tmp_path))
    hashes = {number: hashlib.sha256(stored_pixels(pixels_of(number))).hexdigest() for number in range(COUNT)}
    assert pool.new_hashes() == {}
    pool.images(torch.tensor([3, 9, 3]))
    assert pool.new_hashes() == {3: hashes[3], 9: hashes[9]}
    assert pool.new_hashes() == {}
    pool.images(torch.tensor([9, 10]))
    assert pool.new_hashes() == {10: hashes[10]}
    known = make(write(tmp_path), hashes={3: hashes[3]})
    known.images(torch.tensor([3, 4]))
    assert known.new_hashes() == {3: hashes[3], 4: hashes[4]}, "what was known from the beginning is told once"
    assert known.new_hashes() == {}
    expecting = make(write(tmp_path))
    expecting.expect({3: hashes[3], 9: hashes[5]})
    assert expecting.new_hashes() == {}, "who expects it knows it"
    assert reasons_of(expecting, [3, 9]) == {9: CHANGED}
    expecting.expect({3: hashes[4]})
    assert reasons_of(expecting, [3]) == {3: CHANGED}, "read before it was said what it should have been"


def test_changed_content_is_unreadable(tmp_path: Path, make: Callable[..., FolderPool]):
    items = write(tmp_path)
    expected = hashlib.sha256(stored_pixels(pixels_of(5))).hexdigest()
    pool = make(items, hashes={2: expected})
    assert reasons_of(pool, [1, 2, 3]) == {2: CHANGED}
    pool.images(torch.tensor([6]))
    (tmp_path / items[6].path).write_bytes(stored_pixels(pixels_of(60)))
    (tmp_path / items[7].path).write_bytes(stored_pixels(pixels_of(60)))
    assert reasons_of(pool, [6, 7, 8]) == {6: CHANGED}
    assert (pool.images(torch.tensor([7]))[0, 0].numpy() == pixels_of(60)).all()
    assert pool.new_hashes()[2] == expected, "not what was found instead"


def test_a_folder_of_bad_files_goes_on_without_them(tmp_path: Path, make: Callable[..., FolderPool]):
    """Every kind of bad file is named with its reason, or is no item; the others are read."""
    good = slopes(30, 40)
    photograph = stored_pixels(good, "JPEG")
    for name, content in {
        "a/good.jpg": photograph,
        "a/truncated.jpg": photograph[: len(photograph) // 2],
        "b/text.png": b"I am a text.",
        "b/drawing.svg": b"<svg/>",
        "b/huge.png": png_of_size(30_000, 30_000),
        "c/empty.bmp": b"",
        "c/😀\nowl.png": stored_pixels(good),
        "c/drawing.png": b"<svg/>",
        "d/tiny.png": stored_pixels(np.full((1, 1), 77, np.uint8)),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    (tmp_path / "d" / "self.png").symlink_to("self.png")
    listed = list_images(tmp_path)
    pool = make(list(listed.items), choose_form(tmp_path, listed.items, size=16, channels="auto", fit="squash"))

    told: dict[int, str] = {}
    read = read_images(pool, torch.arange(len(pool)), told.update)

    assert {pool.ids[position]: reason for position, reason in told.items()} == {
        "a/truncated.jpg": "the file is cut off",
        "b/text.png": "it is not an image of a format that is read: it begins 'I am a text.'",
        "b/huge.png": "30000 x 30000 pixels are more than 100 million",
        "c/empty.bmp": "the file is empty",
        "c/drawing.png": "it is not an image of a format that is read: it begins '<svg/>'",
        "d/self.png": "the file cannot be read (Too many levels of symbolic links)",
    }
    assert [pool.ids[position] for position in read.entries.tolist()] == ["a/good.jpg", "c/😀\nowl.png", "d/tiny.png"]
    form = ImageForm(16, 3)
    assert (read.images[0].numpy() == decode(photograph, form)).all()
    assert (read.images[1].numpy() == decode(stored_pixels(good), form)).all()
    assert (read.images[2] == 77).all()
    assert sorted(pool.new_hashes()) == read.entries.tolist()
    assert {(left.reason, left.count, left.examples) for left in listed.left_out} == {
        (".svg files are not read", 1, ("b/drawing.svg",)),
        ("links to folders are not followed", 1, ("d/loop",)),
    }


def test_images_known_to_be_bad_are_refused_without_decoding_again(tmp_path: Path, make: Callable[..., FolderPool]):
    items = write(tmp_path, 6)
    (tmp_path / items[1].path).write_bytes(b"")
    (tmp_path / items[4].path).unlink()
    pool = make(items)
    assert reasons_of(pool, [5, 4, 1]) == {4: "the file is gone", 1: "the file is empty"}
    pool.new_hashes()
    for item in items:
        (tmp_path / item.path).write_bytes(stored_pixels(pixels_of(1)))
    assert reasons_of(pool, [0, 1]) == {1: "the file is empty"}
    assert pool.new_hashes() == {}
    with pytest.raises(UnreadableImagesError, match=r"found '1/1/0.png' \(the file is empty\) and 1 more; repair"):
        pool.images(torch.tensor([0, 1, 4]))


@pytest.mark.parametrize("empty", [False, True])
def test_a_folder_that_has_gone_is_no_matter_of_its_images(
    tmp_path: Path, make: Callable[..., FolderPool], empty: bool
):
    root = tmp_path / "root"
    items = write(root, 6)
    pool = FolderPool(root, items, FORM, workers=1)
    pool.images(torch.arange(3))
    root.rename(tmp_path / "elsewhere")
    if empty:
        root.mkdir()
    with pytest.raises(DatasetNotFoundError, match="found no such folder or an empty one; put it back"):
        pool.images(torch.arange(6))
    if empty:
        root.rmdir()
    (tmp_path / "elsewhere").rename(root)
    assert (pool.images(torch.arange(6))[4, 0].numpy() == pixels_of(4)).all()
    pool.close()


def test_pages_of_a_tiff_file_are_images(tmp_path: Path, make: Callable[..., FolderPool]):
    pages = [Image.fromarray(pixels_of(number)) for number in range(40)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    pool = make(list(list_images(tmp_path).items))
    images = pool.images(torch.arange(40).flip(0))
    assert (images.flip(0)[:, 0].numpy() == np.stack([pixels_of(number) for number in range(40)])).all()
    assert set(pool.new_hashes().values()) == {hashlib.sha256((tmp_path / "stack.tif").read_bytes()).hexdigest()}


def test_two_items_of_one_id_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="expected every id once"):
        FolderPool(tmp_path, [ListedImage("a", "a.png"), ListedImage("a", "b.png")], FORM)


def test_mnist_written_out_comes_back_exactly(tmp_path: Path, make: Callable[..., FolderPool], askwell_data: Path):
    digits = load_dataset("mnist", data_dir=askwell_data).pool.images(torch.arange(200))
    for number, image in enumerate(digits[:, 0].numpy()):
        path = tmp_path / f"{number % 7}" / f"{number:05d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    items = sorted(list_images(tmp_path).items, key=lambda item: Path(item.path).name)
    form = choose_form(tmp_path, items, size=None, channels="auto", fit="squash")
    assert form == ImageForm(28, 1)
    assert torch.equal(make(items, form).images(torch.arange(200)), digits)


def test_skin_photographs_look_like_pillows(askwell_data: Path):
    listed = list_images(askwell_data / "isic2016" / "train")
    items = listed.items[::50]
    form = choose_form(listed.root, items, size=None, channels="auto", fit="squash")
    assert form == ImageForm(64, 3)
    pool = FolderPool(listed.root, items, form, workers=2)
    images = pool.images(torch.arange(len(items)))
    pool.close()
    for image, item in zip(images.numpy(), items, strict=True):
        expected = np.asarray(Image.open(listed.root / item.path).resize((64, 64), Image.Resampling.BILINEAR))
        assert np.abs(image.transpose(1, 2, 0).astype(int) - expected).mean() < 1.5
