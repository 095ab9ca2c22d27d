"""The page that goes with a model: what it is, what it was measured to do, what it is not for."""

from collections.abc import Mapping

from askwell.campaign.model_settings import ModelSettings


def model_card(settings: ModelSettings, measured: Mapping[str, float | None]) -> str:
    """What the model is, what it was measured to do and what it is not for, as Markdown."""
    recipe, backbone = settings.recipe, settings.recipe.backbone
    network = str(recipe.model) if backbone is None else f"{backbone.name}, {backbone.fit}, head {backbone.head}"
    channels, height, width = settings.image_shape
    numbers = [
        f"* {name}: {value if isinstance(value, int) else f'{value:.4f}'}"
        for name, value in measured.items()
        if value is not None
    ]
    trunk = []
    if backbone is not None and backbone.frozen and backbone.sha256 is not None:
        trunk = [
            f"The trunk's weights are not here: the published ones of {backbone.name}, sha256 {backbone.sha256} as a file,",
            f"{settings.trunk_content} as content. `askwell predict` looks for them, or takes `--weights FILE`.",
            "",
        ]
    lines = [
        "# An image classifier made with askwell",
        "",
        f"It tells {len(settings.classes)} classes apart: {', '.join(settings.classes)}.",
        f"Trained on {settings.labels} labelled images (round {settings.round} of an active learner), by askwell {settings.askwell}.",
        "",
        "    askwell predict THIS_DIRECTORY IMAGES --out predictions.csv",
        "",
        f"Network: {network}. Images are decoded to {width}x{height}, {'grey' if channels == 1 else 'colour'}, fit {settings.fit!r}.",
        f"Predictions are means over {settings.samples} posterior samples."
        if settings.evaluation == "mc_dropout"
        else "",
        "",
        *trunk,
        "Measured in the campaign, on images that it did not learn from:" if numbers else "Nothing was measured of it.",
        "",
        *numbers,
        "",
        "Images of another kind, camera or population may be classified worse, and with confidence all the same: label some of them",
        "and measure before relying on it. It knows no class beside those above.",
        "",
        "This directory holds no images, and no names of images or people.",
    ]
    return "\n".join(lines) + "\n"
