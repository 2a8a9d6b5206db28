"""The backbones of races by name: those of the box, torchvision's, and added checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.data.preprocessing import NORMALISATIONS
from engine.errors import PlanError
from engine.i18n.messages import joined_message
from engine.models.architectures import ARCHITECTURES
from engine.models.pretrained import Backbone, check_fit, efficientnet_lite0, embedded, published
from engine.models.stages import check_input_size


class BackboneRegistry:
    """The backbones of one program by name."""

    def __init__(self, backbones: Iterable[Backbone] | None = None):
        """Without `backbones`: the two that need no download, and all of torchvision's."""
        if backbones is None:
            included = {backbone.name: backbone for backbone in (embedded(), efficientnet_lite0())}
            others = (published(architecture) for name, architecture in ARCHITECTURES.items() if name not in included)
            backbones = *included.values(), *others
        self._backbones = {backbone.name: backbone for backbone in backbones}

    def names(self) -> tuple[str, ...]:
        """All backbone names, whether their weights are on this machine or not."""
        return tuple(self._backbones)

    def find(self, name: str) -> Backbone:
        """The backbone of that name. Raises PlanError with the known names."""
        if name not in self._backbones:
            raise PlanError("refusal.network.unknown", name=repr(name), names=", ".join(self._backbones))
        return self._backbones[name]

    def add(self, path: Path, architecture: str, image_size: int = 0, normalisation: str = "imagenet") -> str:
        """Add a checkpoint as a backbone; returns its name, "mobilenet_v2+FILE".

        The file holds a state dict in torchvision's layout, as safetensors or from torch.save, with any head. `image_size`:
        0 = that of the architecture. Raises PlanError for an unknown architecture or normalisation, UnavailableError for a
        missing file, DataError, naming the tensors, where it does not fit.
        """
        if architecture not in ARCHITECTURES:
            raise PlanError("refusal.network.architecture", name=repr(architecture), names=", ".join(ARCHITECTURES))
        if normalisation not in NORMALISATIONS:
            names = joined_message("refusal.network.or", [*NORMALISATIONS])
            raise PlanError("refusal.network.normalisation", name=repr(normalisation), names=names)
        design, (mean, std) = ARCHITECTURES[architecture], NORMALISATIONS[normalisation]
        check_input_size(design, image_size or design.image_size)
        backbone = Backbone(
            name=f"{architecture}+{path.stem}",
            title=design.title,
            pretraining=path.name,
            image_size=image_size or design.image_size,
            mean=mean,
            std=std,
            architecture=design,
            weights=path,
            size=path.stat().st_size if path.exists() else 0,
            is_own=True,
        )
        check_fit(backbone)
        self._backbones[backbone.name] = backbone
        return backbone.name

    def add_text(self, text: str) -> str:
        """Call `add` with the parts of ARCHITECTURE=FILE[:PX[:NORMALISATION]]. Raises as `add` does."""
        architecture, _, rest = text.partition("=")
        file, *more = rest.split(":")
        if not file or len(more) > 2 or (more and not more[0].isdigit()):
            raise PlanError("refusal.network.weights", text=repr(text))
        return self.add(Path(file), architecture, int(more[0]) if more else 0, more[1] if len(more) > 1 else "imagenet")

    def remove(self, name: str) -> None:
        """Remove an added checkpoint."""
        if name in self._backbones and self._backbones[name].is_own:
            del self._backbones[name]
