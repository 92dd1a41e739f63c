"""How the layers of a decoder are run: step by step in a search, or at all steps in training."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int
from torch import Tensor, nn

from captioner.cells import State
from captioner.decoders.cell import PLAIN_STEPS, Cell
from captioner.kernels import STEPS, Grid, PlacesInView, SharedLinear

Memory = tuple[Tensor, ...]
"""What a decoder looks at again at every word; a row per photo. Empty where it never does."""


class Running(ABC):
    """What a decoder's step is written in; R captions of P photos, K of each in a search.

    Args:
        memory: What the decoder looks at again, a row per photo.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @abstractmethod
    def __call__(self, layer: nn.Linear, x: Float[Tensor, "R I"]) -> Float[Tensor, "R O"]:
        """layer(x)."""

    @abstractmethod
    def advance(self, cell: Cell, x: Tensor | None, z: Tensor | None, state: State) -> State:
        """A step of a cell.

        Args:
            cell: Its weights.
            x: W_x x + b, where there is x.
            z: The other input.
            state: Before the step.
        """

    @abstractmethod
    def attend(
        self, fit: nn.Linear, queries: Float[Tensor, "R A"], total: bool = False
    ) -> tuple[Float[Tensor, "R D"], Float[Tensor, "R L"], Float[Tensor, " R"] | None]:
        """Additive attention to memory[1] (P, L, D) by its keys, memory[0] (P, L, A).

            e     = fit tanh(keys + queries)
            alpha = softmax over the places of e

        Returns:
            What is read, where, and, if `total` is wanted, how well the places fit all together:
            log sum exp e.
        """

    @abstractmethod
    def with_photo(self, captions: Float[Tensor, "R X"], part: int) -> Float[Tensor, "R X"]:
        """Captions, with memory[part] (P, X) of the photo of each added."""

    @abstractmethod
    def put(self, captions: Float[Tensor, "R X"]) -> Float[Tensor, "P K X"]:
        """Those of a photo side by side."""

    @abstractmethod
    def take(self, grid: Float[Tensor, "P K X"]) -> Float[Tensor, "R X"]:
        """The inverse of `put`."""

    @abstractmethod
    def places(self, part: int, grid: Float[Tensor, "P K X"]) -> Float[Tensor, "P ..."]:
        """memory[part] of the photos that have a row in the grid."""


class StepByStep(Running):
    """As a search runs them, in plain operations: captions of a photo stand side by side."""

    def __call__(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """layer(x)."""
        return layer(x)

    def advance(self, cell: Cell, x: Tensor | None, z: Tensor | None, state: State) -> State:
        """A step of a cell."""
        inputs = _sum(x, None if z is None else cell.z(z))
        return PLAIN_STEPS[cell.name](inputs, cell.h(state[0]), *state)

    def attend(
        self, fit: nn.Linear, queries: Tensor, total: bool = False
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Additive attention."""
        keys, places = self.memory[:2]
        match = keys.unsqueeze(1) + self.put(queries).unsqueeze(2)
        fits = fit(match.tanh()).squeeze(3)  # (P, K, L)
        alpha = fits.softmax(dim=2)
        z = (alpha @ places).flatten(0, 1)
        return z, alpha.flatten(0, 1), fits.logsumexp(dim=2).flatten() if total else None

    def with_photo(self, captions: Tensor, part: int) -> Tensor:
        """Captions, with memory[part] added."""
        return self.take(self.put(captions) + self.memory[part].unsqueeze(1))

    def put(self, captions: Tensor) -> Tensor:
        """Those of a photo side by side."""
        return captions.unflatten(0, (self.memory[0].shape[0], -1))

    def take(self, grid: Tensor) -> Tensor:
        """The inverse of `put`."""
        return grid.flatten(0, 1)

    def places(self, part: int, grid: Tensor) -> Tensor:
        """memory[part], of all photos."""
        return self.memory[part]


class AllSteps(Running):
    """As training runs them: weights that serve at every step get their gradient once.

    Made anew for each forward pass.

    Args:
        memory: As ever.
        photo: Number of each caption's photo; the longest caption first, the first n go on.
    """

    def __init__(self, memory: Memory, photo: Int[Tensor, " N"]) -> None:
        super().__init__(memory)
        self.photo = photo
        self.grid = Grid(photo, len(memory[0]))
        self._layers: dict[nn.Linear, SharedLinear] = {}
        self._views: dict[nn.Linear, PlacesInView] = {}
        self._places: dict[int, Tensor] = {}
        self._photos: dict[int, Tensor] = {}

    def __call__(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """layer(x)."""
        if layer not in self._layers:
            self._layers[layer] = SharedLinear(layer.weight, layer.bias)
        return self._layers[layer](x)

    def advance(self, cell: Cell, x: Tensor | None, z: Tensor | None, state: State) -> State:
        """A step of a cell."""
        seen = None if z is None else self(cell.z, z)
        recurrent = self(cell.h, state[0])
        if cell.name == "gru":
            return STEPS["gru"](_sum(x, seen), recurrent, *state)
        for part in (x, seen):
            if part is not None:
                recurrent.add_(part)
        return STEPS[cell.name](recurrent, *state)

    def attend(
        self, fit: nn.Linear, queries: Tensor, total: bool = False
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Additive attention."""
        if fit not in self._views:
            keys, places = self.memory[:2]
            self._views[fit] = PlacesInView(keys, places, fit.weight.squeeze(0), self.grid)
        return self._views[fit](queries, total)

    def with_photo(self, captions: Tensor, part: int) -> Tensor:
        """Captions, with memory[part] added."""
        if part not in self._photos:
            self._photos[part] = self.memory[part].index_select(0, self.photo)
        return captions + self._photos[part][: len(captions)]

    def put(self, captions: Tensor) -> Tensor:
        """Those of a photo side by side."""
        self._n = len(captions)
        return self.grid.put(captions)

    def take(self, grid: Tensor) -> Tensor:
        """The inverse of the last `put`."""
        return self.grid.take(grid, self._n)

    def places(self, part: int, grid: Tensor) -> Tensor:
        """memory[part] of the photos that have a row in the grid."""
        if part not in self._places:
            self._places[part] = self.memory[part].index_select(0, self.grid.photos)
        return self._places[part][: len(grid)]


def _sum(x: Tensor | None, z: Tensor | None) -> Tensor:
    if x is None or z is None:
        found = z if x is None else x
        assert found is not None
        return found
    return x + z
