"""The task of a one-shot search."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from nasaudit.spec.arch import EPOCH_IMAGES, OP_TIME, STEP_PIXELS, cells_time, pixels_time
from nasaudit.spec.data import DataSpec
from nasaudit.spec.searches.one_shot import OneShotSpec
from nasaudit.spec.tasks import Task


class SearchTask(Task):
    """Search cells with one supernet; resumes from its last epoch.

    `split` says how the training images are halved: in their own order, as the published codes do, or at random.
    """

    work: ClassVar[str] = "nasaudit.search.work:search_cells"

    kind: Literal["search"] = "search"
    version: int = 1
    search: SerializeAsAny[OneShotSpec]
    data: DataSpec
    seed: Annotated[int, Field(ge=0)]
    split: Literal["random", "file_order"] = "random"
    crop: Annotated[int, Field(ge=0)] = 0
    flip: bool = False

    @property
    def expected_time(self) -> float:
        """Of its epochs: all ops of all edges, weights and mixture by turns on half the images each."""
        search, space = self.search, self.search.space
        ops = len(space.sources) * len(space.kinds) * sum(OP_TIME.get(op, 1.0) for op in space.ops)
        side = self.data.expected_side
        network = cells_time(ops, search.init_channels, search.n_cells) * pixels_time(
            (side, side), STEP_PIXELS
        )
        return search.all_epochs * search.step_time * network * self.data.expected_images() / EPOCH_IMAGES

    def label(self) -> str:
        """E.g. `search with pc_darts, skip_weight 0.5 (seed 0)`."""
        return search_label(self.search.name, ", ".join(self.search.levers), self.seed)


def search_label(method: str, levers: str, seed: int | str) -> str:
    """What the task of a search is called: two searches of one method differ in what levers are pulled."""
    return f"search with {method}{levers and f', {levers}'} (seed {seed})"
