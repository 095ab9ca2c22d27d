"""Networks that the posterior's tests share, small and seeded; and the slow, obvious oracle for those with plain dropout."""

import torch
import torch.nn.functional as F
from torch import nn

from askwell.posterior.masks import uniform


class Paper(nn.Module):
    """The network of Gal et al. (2017) for MNIST; ``full`` also drops before each convolution, ``width`` narrows the dense layer."""

    def __init__(self, full=False, width=128):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 4), nn.Conv2d(32, 32, 4)
        self.dropout0 = nn.Dropout(0.1 if full else 0.0)
        self.dropout1 = nn.Dropout(0.25 if full else 0.0)
        self.dropout2, self.dropout3 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.dense1, self.dense2 = nn.Linear(3872, width), nn.Linear(width, 10)

    def forward(self, images):
        x = F.relu(self.conv1(self.dropout0(images)))
        x = F.max_pool2d(F.relu(self.conv2(self.dropout1(x))), 2)
        x = F.relu(self.dense1(self.dropout2(x).flatten(1)))
        return self.dense2(self.dropout3(x))

    def by_hand(self, images, seed, sample):
        """The same with the masks written out, one image at a time. Knows nothing of tracing, dispatch or chunks."""
        sites = (self.dropout0, self.dropout1, self.dropout2, self.dropout3)
        ordinals = {id(site): k for k, site in enumerate(site for site in sites if site.p > 0)}

        def drop(site, x):
            if site.p == 0:
                return x
            keep = torch.from_numpy(uniform(seed, sample, ordinals[id(site)], x.shape) < 1 - site.p)
            return torch.where(keep, x / (1 - site.p), 0)

        def one(image):
            x = F.relu(self.conv1(drop(self.dropout0, image)[None]))[0]
            x = F.max_pool2d(F.relu(self.conv2(drop(self.dropout1, x)[None])), 2)[0]
            x = F.relu(self.dense1(drop(self.dropout2, x).flatten()))
            return self.dense2(drop(self.dropout3, x))

        with torch.no_grad():
            return torch.stack([one(image) for image in images])


class Residual(nn.Module):
    """Functional dropout in the middle; values of several kinds, a size among them, are live at the cut."""

    def __init__(self, p=0.3):
        super().__init__()
        self.p = p
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.left, self.right = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.activation = nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.head = nn.Linear(6 * 7 * 7, 5)

    def forward(self, images):
        x = self.activation(self.stem(images))
        batch = x.shape[0]
        dropped = F.dropout(x, self.p, self.training)
        y = self.activation(self.norm(self.left(dropped)))
        y += x
        y = y + self.right(x)  # behind the dropout in the text, but independent of it
        return self.head(F.adaptive_max_pool2d(y, 7).reshape(batch, -1))


class Sequence(nn.Module):
    """Feeds 16 tokens of 8 numbers per image to ``layer`` [B, 16, 8] -> [B, 16, 8]."""

    def __init__(self, layer):
        super().__init__()
        self.embed, self.layer, self.head = nn.Linear(49, 8), layer, nn.Linear(8, 5)

    def forward(self, images):
        tokens = self.embed(images.unfold(2, 7, 7).unfold(3, 7, 7).flatten(4).flatten(1, 3))
        return self.head(self.layer(tokens).mean(1))


class Flat(nn.Module):
    """``layer`` between two dense ones, [B, 12] -> [B, 12]."""

    def __init__(self, layer):
        super().__init__()
        self.before, self.layer, self.after = nn.Linear(784, 12), layer, nn.Linear(12, 5)

    def forward(self, images):
        return self.after(self.layer(self.before(images.flatten(1))))


class Lambda(nn.Module):
    """A function of (module, x), so that a test can write its layer in a line."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def seeded(build, seed=0):
    """build() with weights from this seed, the global generator left alone, and no weight at zero (heads often start there)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.1)
    return model


def pictures(count, size=28, channels=1, seed=1, dtype=torch.float32):
    """Random images."""
    return torch.rand((count, channels, size, size), generator=torch.Generator().manual_seed(seed), dtype=dtype)
