"""Settings of the evaluation: what is scored of every model, and on how many images."""

from __future__ import annotations

from dataclasses import dataclass, replace

from maestrata import modules
from maestrata.bounds import MOST_IMAGES
from maestrata.errors import ProbeError, one_of
from maestrata.inference.settings import Samples
from maestrata.regression.probes import make
from maestrata.representation.pooling import POOLINGS
from maestrata.settings import Scalar, check, setting
from maestrata.training.recipe import Recipe

BRIEF_PROBES = ("ridge",)
BRIEF_POOLINGS = ("concat", "aligned")


@dataclass(frozen=True)
class Evaluation(Samples):
    """What is scored of every model, on how many samples.

    It is *detailed* (every layer, pooling, probe and evaluation mask, with the controls that check the
    evaluation itself) or *brief*: latents from the last layer of whole images, by ridge, from the tokens
    under the node and from all tokens.

    Raises
    ------
    ProbeError
        If a number is out of range, a list is empty or names something twice, a probe or pooling does not
        exist, or settings are given for a probe that is not among the probes or does not take them.
    """

    probes: tuple[str, ...] = setting(
        ("ridge", "kernel_ridge", "attentive"), "modules of maestrata.regression.probes"
    )
    probe_settings: dict[str, dict[str, Scalar | tuple[Scalar, ...]]] = setting(dict, "probe -> its settings")
    poolings: tuple[str, ...] = setting(POOLINGS, "how tokens become one vector", choices=POOLINGS)
    detail: str = setting(
        "first",
        "worlds whose models are scored in every way: the first seed of each, all, or none",
        choices=("first", "all", "none"),
    )
    detail_worlds: tuple[str, ...] | None = setting(
        None, "labels of the worlds that `detail: first` means; null: every world"
    )
    control_images: int = setting(
        0, "training images of the trained controls (0: neither is trained)", least=0, most=MOST_IMAGES
    )

    def __post_init__(self) -> None:
        check(self, ProbeError)
        for i, probe in enumerate(self.probes):
            if probe not in modules.available("regression.probes"):
                message = f"probe {one_of(probe, modules.available('regression.probes'))}"
                raise ProbeError(message).at("probes", i)
        for probe, settings in self.probe_settings.items():
            if probe not in self.probes:
                message = f"settings of probe {one_of(probe, self.probes)}"
                raise ProbeError(message).at("probe_settings", probe)
            try:
                make(probe, **settings)
            except ProbeError as error:
                raise error.at("probe_settings", probe, *error.key) from None
        if 0 < self.control_images < Recipe.batch:
            raise ProbeError(
                f"control_images={self.control_images} must be 0 (no trained controls) or at least one batch "
                f"of {Recipe.batch}"
            ).at("control_images")

    @property
    def detailed(self) -> bool:
        """Whether a model is scored in every way."""
        return self.detail != "none"

    def of_world(self, world: str, first: bool) -> Evaluation:
        """Return the settings for the models of a world seed, the first of its world or not."""
        meant = first and self.detailed and (self.detail_worlds is None or world in self.detail_worlds)
        return replace(self, detail="all" if self.detail == "all" or meant else "none", detail_worlds=None)

    def asked(self) -> Evaluation:
        """Return the settings with those probes and poolings alone that a model is scored by."""
        if self.detailed:
            return self
        return replace(
            self,
            probes=tuple(name for name in self.probes if name in BRIEF_PROBES),
            probe_settings={k: v for k, v in self.probe_settings.items() if k in BRIEF_PROBES},
            poolings=tuple(name for name in self.poolings if name in BRIEF_POOLINGS),
        )

    @property
    def control_recipe(self) -> Recipe | None:
        """Recipe of the controls that are trained: the defaults but for the images; None without them."""
        return Recipe(images=self.control_images) if self.control_images else None
