"""How a network learns to answer questions about texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from captioner.config import Recipe
from captioner.training import learning_rate, make_optimiser

Texts = list[Tensor]


@dataclass(frozen=True)
class Example:
    """A network and what it is to learn."""

    shape: str
    """one-to-one, one-to-many, many-to-one or many-to-many."""
    questions: tuple[str, ...]
    """The questions; each is a line of the table."""
    network: str
    blind: tuple[float, ...]
    """For each question, how often one is right who has not looked."""
    num: int
    """Rows to learn from."""
    make: Callable[[], nn.Module]
    loss: Callable[[Any, Int[Tensor, " N"]], Float[Tensor, ""]]
    """Of a network, on these rows."""
    score: Callable[[Any], Sequence[float]]
    """For each question, how often a network is right about scenes that it never saw."""
    show: Callable[[Any], list[str]] = lambda network: []
    """Some of its answers in words."""


def learn(example: Example, recipe: Recipe, seed: int) -> tuple[Sequence[float], list[str]]:
    """Train one network; its score, and some of its answers in words.

    `captioner.training.fit` would keep a folder with checkpoints and the best weights of each of
    these networks, which learn for seconds; optimiser and learning rates are the same.
    """
    torch.manual_seed(seed)
    model = example.make()
    optimiser = make_optimiser(recipe, model)
    step, steps = 0, recipe.epochs * -(-example.num // recipe.batch_size)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(example.num).split(recipe.batch_size):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, step, steps)
            optimiser.zero_grad()
            example.loss(model, rows).backward()
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimiser.step()
            step += 1
    with torch.inference_mode():
        return example.score(model), example.show(model)


@dataclass(frozen=True)
class Task:
    """Questions about texts, or about each word of them."""

    shape: str
    questions: tuple[str, ...]
    """The questions (Q)."""
    num_answers: int
    """To each of them (A)."""
    train: tuple[Texts, Texts]
    """Texts, and their answers: (Q) to a text, or (T, Q) to its words."""
    test: tuple[Texts, Texts]
    join: Callable[[Texts], Tensor] = torch.stack
    """The answers to some texts -> (N, Q), or (M, Q)."""

    def example(
        self,
        network: str,
        make: Callable[[int], nn.Module],
        ask: Callable[[Any, Texts], Tensor] = lambda model, texts: model(texts),
    ) -> Example:
        """A network for it.

        Args:
            network: What to call it.
            make: Makes one of so many outputs (Q A).
            ask: What it says of texts: (N, Q A), or (M, Q A).
        """
        Q, A = len(self.questions), self.num_answers
        (texts, answers), (test_texts, test_answers) = self.train, self.test
        truth = self.join(test_answers)  # (N, Q)

        def scores(model: nn.Module, texts: Texts) -> Tensor:
            return ask(model, texts).unflatten(1, (Q, A))  # (N, Q, A)

        def loss(model: nn.Module, rows: Tensor) -> Tensor:
            right = self.join([answers[row] for row in rows])
            given = scores(model, [texts[row] for row in rows])
            return F.cross_entropy(given.flatten(0, 1), right.flatten())

        def share(said: Tensor) -> tuple[float, ...]:
            return tuple((said == truth).float().mean(dim=0).tolist())

        return Example(
            shape=self.shape,
            questions=self.questions,
            network=network,
            blind=share(self.join(answers).mode(dim=0).values),
            num=len(texts),
            make=lambda: make(Q * A),
            loss=loss,
            score=lambda model: share(scores(model, test_texts).argmax(dim=2)),
        )
