"""The decoder without a photo: language models, which score text and write it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from captioner.cells import State
from captioner.checkpoint import fill, read_model
from captioner.config import LanguageConfig, SearchConfig, TrainConfig
from captioner.data import Batch
from captioner.decoders import DECODERS, Decoder, WordDecoder
from captioner.errors import InputError
from captioner.folders import find_model
from captioner.losses import perplexity
from captioner.search import search
from captioner.vocabulary import END, START, UNK, Vocabulary

TOGETHER = 4096
"""Words that are scored at once."""


@dataclass(frozen=True)
class TextScore:
    """How likely a text is."""

    text: str
    log_prob: float
    """In nats, END included."""
    words: int
    """Words, or characters, END included."""
    unknown: tuple[str, ...]
    """Those that the model does not know; it scores them as UNK."""

    @property
    def perplexity(self) -> float:
        """Per word, or per character of a model of characters."""
        return perplexity(-self.log_prob, self.words)


class LanguageModel(nn.Module):
    """The chance of a text: P(text) = product over t of P(word_t | words before it), h0 = 0.

    Mikolov et al. 2010 (Recurrent neural network based language model, Interspeech). The same
    decoder, loss and search as a captioner's.

    Args:
        config: What the network is.
        vocabulary: The words, or characters, that it knows.
    """

    def __init__(self, config: LanguageConfig, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.decoder = WordDecoder(config.decoder, len(vocabulary))

    @classmethod
    def from_pretrained(
        cls, name: str | Path, device: str | torch.device = "cpu"
    ) -> "LanguageModel":
        """A trained language model.

        Args:
            name: The folder of a model or of a run.
            device: Where it shall work.

        Raises:
            InputError: if there is no such model, its files are not whole, or it is a captioner.
        """
        folder = find_model(name)
        saved = read_model(folder, LanguageConfig)
        model = cls(saved.config, saved.vocabulary)
        fill(model, {key: value.float() for key, value in saved.tensors.items()}, folder)
        return model.to(device).eval()

    @property
    def trained(self) -> nn.Module:
        """What learns."""
        return self.decoder

    @property
    def device(self) -> torch.device:
        """Where it works."""
        return self.decoder.embed.weight.device

    def loss(self, batch: Batch, carried: State = ()) -> tuple[Float[Tensor, ""], State]:
        """Temporal softmax loss, in nats per row of the batch.

        Args:
            batch: Lines, or the next chunks of a running text.
            carried: The state after the chunks before; empty for h0 = 0.

        Returns:
            The loss, and the state to carry on where the text runs on. No gradient flows through
            it, which is what truncates backpropagation through time.
        """
        hidden = self.decoder.hidden(carried or self.decoder.empty_state(len(batch)), batch.words)
        loss = self.decoder.loss(hidden, batch.targets)
        return loss, tuple(part.detach() for part in hidden.last) if self.config.running else ()

    @torch.inference_mode()
    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """How likely each text is, from START to END, whatever stands around it."""
        split = [self.vocabulary.split(text) for text in texts]
        results: list[TextScore | None] = [None] * len(texts)
        for rows in _groups([len(words) + 1 for words in split]):
            known = [torch.tensor(self.vocabulary.indices(split[row])).long() for row in rows]
            words = pack_sequence([torch.cat([torch.tensor([START]), part]) for part in known])
            targets = pack_sequence([torch.cat([part, torch.tensor([END])]) for part in known])
            hidden = self.decoder.hidden(
                self.decoder.empty_state(len(rows)),
                words.to(self.device),  # type: ignore[arg-type]
            )
            of_words = (
                self.decoder.scores(hidden)
                .log_softmax(dim=1)
                .gather(1, targets.data.to(self.device).unsqueeze(1))
            )
            packed = targets._replace(data=of_words.squeeze(1).double())
            totals = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0].sum(dim=1)
            for row, part, total in zip(rows, known, totals.tolist(), strict=True):
                unknown = [
                    word
                    for word, index in zip(split[row], part.tolist(), strict=True)
                    if index == UNK
                ]
                results[row] = TextScore(texts[row], total, len(part) + 1, tuple(unknown))
        return [result for result in results if result is not None]

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        """The decoder's step; where lines run on, START is read after END."""
        if self.config.running:
            words = torch.where(words == END, START, words)
        return self.decoder.step(words, state)

    @torch.inference_mode()
    def read(self, prompt: str, num: int = 1) -> tuple[Tensor, State]:
        """The last word of a prompt (N), and the state before it, ready to go on by `step`."""
        indices: list[int] = []
        for line in prompt.split("\n"):
            indices += [START, *self.vocabulary.indices(self.vocabulary.split(line))]
        state = self.decoder.empty_state(1)
        for index in indices[:-1]:
            _, state = self.decoder.step(torch.tensor([index], device=self.device), state)
        last = torch.full((num,), indices[-1], device=self.device)
        return last, tuple(part.expand(num, -1, -1) for part in state)

    def write(
        self,
        prompt: str = "",
        length: int = 100,
        *,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        num: int = 1,
        seed: int = 0,
    ) -> list[str]:
        """Go on from a prompt, by sampling.

        Args:
            prompt: What the text begins with; may be empty.
            length: Words, or characters, to add; where lines stand apart, at most so many.
            temperature: 0 always takes the likeliest; see `captioner.search.draw`.
            top_k: Only among so many likeliest; 0 for all.
            top_p: Only among the fewest likeliest with this share of the chance.
            num: Texts to write.
            seed: Same seed, same texts.
        """
        config = SearchConfig(
            num_captions=num,
            max_words=length,
            min_words=length if self.config.running else 1,
            sample=True,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
        )
        last, state = self.read(prompt)
        found = search(self._write_step, state, (), config, words=last)
        return [self._text(prompt, words) for words in found.words[0].tolist()]

    def _write_step(
        self, words: Tensor, state: State, memory: tuple[Tensor, ...]
    ) -> tuple[Tensor, State]:
        """For a search: where lines run on, END ends nothing, so it is one word more, the last."""
        if not self.config.running:
            return self.step(words, state)
        line_break = len(self.vocabulary)
        log_probs, state = self.step(torch.where(words == line_break, END, words), state)
        of_end = log_probs[:, END].clone()
        log_probs[:, END] = float("-inf")
        return torch.cat([log_probs, of_end.unsqueeze(1)], dim=1), state

    def _text(self, prompt: str, added: list[int]) -> str:
        lines = [self.vocabulary.split(line) for line in prompt.split("\n")]
        for index in added:
            if index == len(self.vocabulary):
                lines.append([])
            elif index > UNK:
                lines[-1].append(self.vocabulary.words[index])
        return "\n".join(self.vocabulary.join(words) for words in lines)


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Rows of like length together, the longest first, `TOGETHER` words at once at most."""
    groups: list[list[int]] = []
    words = TOGETHER
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        words += lengths[row]
        if words > TOGETHER:
            groups.append([])
            words = lengths[row]
        groups[-1].append(row)
    return groups


def check_start(recipe: TrainConfig, model: LanguageModel) -> None:
    """Refuse a language model that a captioner's decoder cannot begin with.

    Raises:
        InputError: if cells or sizes differ, the decoder looks at places, or the model writes
            characters.
    """
    if DECODERS[recipe.decoder].places:
        raise InputError(
            f"the {recipe.decoder} decoder has no cell of a language model; take --decoder pooled"
        )
    if model.vocabulary.unit != "word":
        raise InputError("a captioner writes words; this language model writes characters")
    for name in ("cell", "layers", "embedding", "hidden"):
        mine, other = getattr(recipe, name), getattr(model.config.decoder, name)
        if mine != other:
            raise InputError(
                f"the language model has {name} {other}, the captioner {mine}; "
                f"give both the same --{name}"
            )


def start_decoder(decoder: Decoder, vocabulary: Vocabulary, model: LanguageModel) -> int:
    """Give a captioner's decoder the words, the cell and the scores of a language model.

    Args:
        decoder: Takes them over; of the model's cell and sizes.
        vocabulary: Its words; those that the language model does not know stay as they are.
        model: Trained on text alone.

    Returns:
        How many words were taken over.
    """
    shared = [word for word in vocabulary.words if word in model.vocabulary.index]
    to = torch.tensor(vocabulary.indices(shared))
    of = torch.tensor(model.vocabulary.indices(shared))
    assert isinstance(decoder, WordDecoder)  # as check_start saw to
    with torch.no_grad():
        decoder.cell.load_state_dict(model.decoder.cell.state_dict())
        for mine, other in (
            (decoder.embed.weight, model.decoder.embed.weight),
            (decoder.score.weight, model.decoder.score.weight),
            (decoder.score.bias, model.decoder.score.bias),
        ):
            mine[to] = other[of].to(mine.device)
    return len(shared)
