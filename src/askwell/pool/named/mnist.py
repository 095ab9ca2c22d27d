"""MNIST, the paper's data set, and its two younger siblings of the same sizes and format."""

from pathlib import Path

from askwell.pool.datasets import Dataset
from askwell.pool.named.idx_files import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, IdxDataset, load_idx

MNIST = IdxDataset(
    name="mnist",
    torchvision="MNIST",
    source=(
        "The MNIST database of handwritten digits (LeCun, Cortes and Burges, 1998): "
        "60,000 training and 10,000 test images"
    ),
    classes=tuple("0123456789"),
    packed_md5={
        TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
        TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
        TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
    },
    unpacked_md5={
        TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
        TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
        TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
        TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
    },
)
FASHION_MNIST = IdxDataset(
    name="fashion_mnist",
    torchvision="FashionMNIST",
    source="Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 training and 10,000 test images of Zalando's articles",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    packed_md5={
        TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
        TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
        TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
    },
    unpacked_md5={},
)
KMNIST = IdxDataset(
    name="kmnist",
    torchvision="KMNIST",
    source="Kuzushiji-MNIST (Clanuwat et al., 2018): 60,000 training and 10,000 test images of cursive Japanese characters",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    packed_md5={
        TRAIN_IMAGES: "bdb82020997e1d708af4cf47b453dcf7",
        TRAIN_LABELS: "e144d726b3acfaa3e44228e80efcd344",
        TEST_IMAGES: "5c965bf0a639b31b8f53240b1b52f4d7",
        TEST_LABELS: "7320c461ea6c1c855c0b718fb2a4b134",
    },
    unpacked_md5={},
)


def load_mnist(data_dir: Path | None = None) -> Dataset:
    """MNIST: handwritten digits. Raises what ``load_idx`` raises."""
    return load_idx(MNIST, data_dir)


def load_fashion_mnist(data_dir: Path | None = None) -> Dataset:
    """Fashion-MNIST: articles of clothing. Raises what ``load_idx`` raises."""
    return load_idx(FASHION_MNIST, data_dir)


def load_kmnist(data_dir: Path | None = None) -> Dataset:
    """Kuzushiji-MNIST: cursive Japanese characters. Raises what ``load_idx`` raises."""
    return load_idx(KMNIST, data_dir)
