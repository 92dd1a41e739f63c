"""Beam search: of each photo the best beginnings go on side by side."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from captioner.search.arrays import NEVER, Array, along, device_of, namespace, rows_of, topk
from captioner.search.candidates import Candidates, best_of_lanes, going_on
from captioner.search.found import Found, Leaving, State, Step, pad_words
from captioner.search.groups import keep_apart
from captioner.search.must import MustSay
from captioner.search.rules import Rules
from captioner.vocabulary import END, PAD


class Finished(NamedTuple):
    """The best captions that have ended, B for each of G groups of beams, the best first."""

    values: Float[Array, "n G B"]
    """What they are compared by; -inf for a place that is free still."""
    log_probs: Float[Array, "n G B"]
    words: Int[Array, "n G B t"]


class BeamSearch:
    """Beam search over all photos of a batch at once.

    A photo's beams stand in L lanes of B: a lane for each group, or for each set of the words that
    must be said. In each lane the best beginnings go on. A caption counts as finished if its END is
    among the lane's B best candidates of that step; the B best finished ones are kept.

    A photo leaves the batch once no beam of it beats the last of the captions kept (B of them, not
    `num_captions`), were it to end as it stands and at no cost. Where `length_penalty` is at most 0
    no beam could do so later either. Where it is above, that is a rule of thumb: a beam that falls
    behind could still catch up by many very likely words.

    Args:
        rules: What may be said, and the settings.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.config = rules.config
        self.beams = self.config.beam_size // self.config.groups
        self.must = MustSay(rules.must, self.beams) if rules.must else None

    def run(self, step: Step, state: State, memory: State, words: Int[Array, " N"]) -> Found:
        """The captions of N photos, whose last words are `words`."""
        xp = namespace(words)
        n, device = words.shape[0], device_of(words)
        photos = xp.arange(n, device=device)  # those that still run
        said = xp.zeros((n, 1, 0), dtype=words.dtype, device=device)
        totals = xp.zeros((n, 1, 1), dtype=xp.float32, device=device)
        kept = self._none_kept(words)
        leaving = Leaving()
        while True:
            n, R, t = said.shape
            log_probs, state = step(words, state, memory)
            log_probs = xp.reshape(log_probs, (n, R, log_probs.shape[1]))
            end = self.rules.apply(log_probs, said)
            if t < self.config.max_words:
                best = self._candidates(log_probs, totals)  # (n, L, 2B)
            else:
                best = _all_end(totals, end)
            kept = self._keep(kept, best, said)
            going = going_on(best, self.beams)  # (n, L, B)
            running = self._running(going, kept, t + 1)
            stay = xp.nonzero(running)[0]
            if stay.shape[0] < n:
                gone = xp.nonzero(~running)[0]
                before = rows_of((said, totals, end), gone)
                leaving.add(photos[gone], *self._results(Finished(*rows_of(kept, gone)), *before))
                if not stay.shape[0]:
                    return leaving.found()
                photos, memory = photos[stay], rows_of(memory, stay)
                kept, going = Finished(*rows_of(kept, stay)), Candidates(*rows_of(going, stay))
                said = said[stay]
            rows = xp.reshape(going.rows, (stay.shape[0], -1))  # (n, R)
            state = rows_of(state, xp.reshape(stay[:, None] * R + rows, (-1,)))
            words = xp.reshape(going.words, (-1,))
            said = _say(said, rows, xp.reshape(going.words, rows.shape))
            totals = going.log_probs

    def _none_kept(self, words: Int[Array, " n"]) -> Finished:
        xp = namespace(words)
        shape, device = (words.shape[0], self.config.groups, self.beams), device_of(words)
        empty = xp.full(shape, NEVER, dtype=xp.float32, device=device)
        return Finished(empty, empty, xp.zeros((*shape, 0), dtype=words.dtype, device=device))

    def _candidates(
        self, log_probs: Float[Array, "n R V"], totals: Float[Array, "n L B"]
    ) -> Candidates:
        """The best 2B words of each lane: since each beam ends once at most, B of them go on."""
        if self.must:
            return self.must.candidates(log_probs, totals)
        G, B = self.config.groups, self.beams
        # Each word of another group can be one more candidate, of each beam, that counts less.
        more = (G - 1) * B * totals.shape[2]
        best = best_of_lanes(log_probs, totals, 2 * B + more)
        return best if G == 1 else keep_apart(best, G, B, self.config.diversity)

    def _keep(self, kept: Finished, best: Candidates, said: Int[Array, "n R t"]) -> Finished:
        """The best of the captions kept so far and of those that end now."""
        xp = namespace(said)
        n, _, t = said.shape
        M = best.words.shape[2]
        # Of the sets of words that must be said the last is the whole.
        of_groups = (
            xp.reshape(part, (n, self.config.groups, -1, M))[:, :, -1, : self.beams]
            for part in best
        )
        log_probs, rows, words = of_groups
        log_probs = xp.where(words == END, log_probs, NEVER)
        if not bool(xp.any(log_probs > NEVER)):
            return kept
        new = _say(said, xp.reshape(rows, (n, -1)), xp.reshape(words, (n, -1)))
        values = log_probs / (t + 1) ** self.config.length_penalty
        values, places = topk(xp.concat([kept.values, values], axis=2), self.beams)
        log_probs = xp.concat([kept.log_probs, log_probs], axis=2)
        pool = xp.concat(
            [pad_words(kept.words, t + 1), xp.reshape(new, (*words.shape, t + 1))], axis=2
        )
        return Finished(
            values,
            along(log_probs, places, axis=2),
            along(pool, places[..., None], axis=2),
        )

    def _running(self, going: Candidates, kept: Finished, length: int) -> Bool[Array, " n"]:
        """Whether a beam of the photo beats the last caption kept of its group."""
        xp = namespace(going.words)
        n = going.words.shape[0]
        ahead = xp.max(xp.reshape(going.log_probs, (n, self.config.groups, -1)), axis=2)
        ahead = ahead / length**self.config.length_penalty
        return xp.any(ahead > kept.values[:, :, -1], axis=1)

    def _results(
        self,
        kept: Finished,
        said: Int[Array, "m R t"],
        totals: Float[Array, "m L B"],
        end: Float[Array, "m R"],
    ) -> tuple[Int[Array, "m K T"], Float[Array, "m K"]]:
        """The captions of m photos that leave, the best first.

        Where not one has ended within the rules, one is made to end nevertheless: of the beams
        before this step the best of those that have said the most of the words that must be said.
        """
        xp = namespace(said)
        m, _, t = said.shape
        _, best = topk(xp.reshape(kept.values, (m, -1)), self.config.num_captions)
        log_probs = along(xp.reshape(kept.log_probs, (m, -1)), best, axis=1)
        words = xp.reshape(pad_words(kept.words, t + 1), (m, -1, t + 1))
        words = along(words, best[:, :, None], axis=1)
        words = xp.where(log_probs[:, :, None] > NEVER, words, PAD)
        none = log_probs[:, 0] == NEVER
        if bool(xp.any(none)):
            if self.must:
                totals = self.must.fullest(totals)
            ended = xp.reshape(totals, end.shape) + end
            log_prob, row = topk(ended, 1)
            forced = _say(said, row, xp.zeros_like(row) + END)
            log_probs[none, 0] = xp.astype(log_prob, log_probs.dtype)[none, 0]
            words[none, 0] = forced[none, 0]
        return words, log_probs


def _all_end(totals: Float[Array, "n L B"], end: Float[Array, "n R"]) -> Candidates:
    """Every beam says END."""
    xp = namespace(totals)
    rows = xp.reshape(xp.arange(end.shape[1], device=device_of(end)), totals.shape[1:])
    rows = xp.zeros(totals.shape, dtype=rows.dtype, device=device_of(end)) + rows
    return Candidates(totals + xp.reshape(end, totals.shape), rows, xp.zeros_like(rows) + END)


def _say(
    said: Int[Array, "n R t"], rows: Int[Array, "n M"], words: Int[Array, "n M"]
) -> Int[Array, "n M T"]:
    """The words of these rows, and one more each."""
    xp = namespace(said)
    return xp.concat([along(said, rows[:, :, None], axis=1), words[:, :, None]], axis=2)
