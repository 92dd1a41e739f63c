"""A training step of the LSTM with soft attention over 49 places (Xu et al. 2015).

Usual: the keys are projected once per photo and repeated for its captions, as the best-known
research code does; then attention, an `LSTMCell` and the scores in a loop over the steps of the
longest caption, for all 80 captions at each; scores on padding, which the loss then leaves out;
`torch.optim.Adam`. Ours: `captioner.training.train_step`. Both add the doubly stochastic penalty,
and both make their batch of 80 from captions that were encoded before.
"""

import numpy as np

from benchmarks.inputs import Setting, captions_for
from benchmarks.measuring import Pair
from benchmarks.plain.attention import PlainAttention
from benchmarks.training import PHOTOS, make_captioner, make_noise, training_pair
from benchmarks.work import SIZES, Sizes, attention_flops
from captioner.config import DecoderConfig
from captioner.data import CaptionData


def train_attention(setting: Setting, sizes: Sizes = SIZES) -> Pair:
    """Steps, the usual way and ours."""
    photos = PHOTOS * setting.size(quick=1, full=8)
    captions, vocabulary = captions_for(setting, photos, sizes.words)
    decoder = DecoderConfig(
        kind="attention",
        cell="lstm",
        embedding=sizes.embedding,
        hidden=sizes.hidden,
        features=sizes.features,
        attention=sizes.attention,
    )
    captioner = make_captioner(decoder, vocabulary, setting.seed)
    # Features of places are kept in fp16.
    noise = make_noise(setting, photos, sizes.places, sizes.features).astype(np.float16)
    data = CaptionData(captions, noise, vocabulary, together=True)
    plain = PlainAttention.like(captioner)
    return training_pair(
        captioner,
        data,
        plain,
        lambda places, photo, words: plain.loss(places, photo, words, decoder.attention_penalty),
        sizes,
        attention_flops,
    )
