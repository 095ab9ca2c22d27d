"""A campaign of an older askwell, whose settings said less, is still itself."""

import json

from askwell.campaign.settings import CampaignSettings, identity, made_with, same_identity
from askwell.learning.recipe import Recipe


def settings(**recipe) -> CampaignSettings:
    values = {"classes": ("a", "b"), "image_shape": (1, 8, 8), "made_with": made_with(1)}
    return CampaignSettings.model_validate({**values, "recipe": Recipe.model_validate(recipe)})


def test_settings_that_older_campaigns_could_not_say_do_not_make_another_campaign():
    now = json.loads(identity(settings()))
    for later in ("loss", "class_weights"):
        del now["recipe"][later]
    older = json.dumps({**now, "keep_classes": None})
    assert same_identity(older, identity(settings()))
    assert not same_identity(older, identity(settings(loss="mse")))
    assert not same_identity(older, identity(settings(class_weights="balanced")))
    assert not same_identity(older, identity(settings(backbone="squeezenet1_1")))


def test_where_the_weights_lie_is_not_who_the_campaign_is():
    one, two = ({"backbone": {"name": "vgg16", "weights": place, "sha256": "0" * 64}} for place in ("a.pth", "b.pth"))
    assert identity(settings(**one)) == identity(settings(**two))
    assert identity(settings(**one)) != identity(settings(backbone={**one["backbone"], "sha256": "1" * 64}))
