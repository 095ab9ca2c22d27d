"""Real ImageNet weights on ten photographs: the network, its preprocessing and the file belong together."""

import pytest
import torch
from torch import nn
from torchvision.models import SqueezeNet1_1_Weights

from askwell.models.backbone import Preprocess
from askwell.models.backbone_settings import Backbone
from askwell.models.networks import build_network, preprocessing
from askwell.models.weights import find_weights, load_weights
from askwell.pool.decoding import ImageForm
from askwell.pool.folder import FolderPool
from askwell.pool.images import as_float
from askwell.pool.listing import list_images

DOGS = {"soft-coated wheaten terrier", "Dandie Dinmont", "miniature poodle", "toy poodle"}
GROUSE = {"ruffed grouse", "partridge", "prairie chicken"}  # ImageNet's owl is the great grey owl, this is another
SENSIBLE = {  # photograph -> what is a sensible first answer; ImageNet has no sunflower, naval officer or bag of crisps
    "bird.jpg": {"chickadee"},
    "cat.jpg": {"Egyptian cat", "tabby", "tiger cat"},
    "dog_test_0.jpg": DOGS,
    "dragonfly.jpg": {"dragonfly"},
    "grace_hopper.jpg": {"bow tie", "suit", "Windsor tie", "military uniform"},
    "hot_dog.jpg": {"hotdog"},
    "missvickie_potato_chips.jpg": {"packet", "carton"},
    "owl.jpg": GROUSE,
    "parrot.jpg": {"macaw"},
    "sunflower.jpg": {"bee", "daisy"},
}


@pytest.fixture(scope="module")
def answers(askwell_data, imagenet_weights, module_environment) -> dict[str, list[str]]:
    """Photograph -> the three most probable classes."""
    folder = askwell_data / "photos"
    items = list_images(folder).items
    pool = FolderPool(folder, items, ImageForm(224, 3, "crop"), workers=1)
    network = build_network("squeezenet1_1")
    network.load_state_dict(load_weights(find_weights(Backbone(name="squeezenet1_1")).path))
    published = preprocessing("squeezenet1_1")
    with torch.no_grad():
        images = as_float(pool.images(torch.arange(len(items))))
        top = nn.Sequential(Preprocess((3, 224, 224), published), network)(images).topk(3).indices
    pool.close()
    names = SqueezeNet1_1_Weights.DEFAULT.meta["categories"]
    return {item.id: [names[place] for place in row] for item, row in zip(items, top.tolist(), strict=True)}


@pytest.fixture(scope="module")
def module_environment(imagenet_weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASKWELL_WEIGHTS", str(imagenet_weights))
        yield


@pytest.mark.parametrize("photograph", SENSIBLE)
def test_photographs_are_classified_sensibly(photograph, answers):
    assert answers[photograph][0] in SENSIBLE[photograph], answers[photograph]
