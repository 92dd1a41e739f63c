"""A training step of the pooled LSTM: forward, loss, gradients, clipping, the optimiser's change.

Usual: an `LSTMCell` and the scores in a loop over the steps of the longest caption, for all 80
captions at each; scores on padding, which the loss then leaves out; `torch.optim.Adam`. Ours:
`captioner.training.train_step`. Both make their batch of 80 from captions that were encoded before.
"""

from benchmarks.inputs import Setting, captions_for
from benchmarks.measuring import Pair
from benchmarks.plain.pooled import PlainPooled
from benchmarks.training import PHOTOS, make_captioner, make_noise, training_pair
from benchmarks.work import SIZES, Sizes, pooled_flops
from captioner.config import DecoderConfig
from captioner.data import CaptionData


def train_pooled(setting: Setting, sizes: Sizes = SIZES) -> Pair:
    """Steps, the usual way and ours."""
    photos = PHOTOS * setting.size(quick=1, full=8)
    captions, vocabulary = captions_for(setting, photos, sizes.words)
    decoder = DecoderConfig(
        cell="lstm", embedding=sizes.embedding, hidden=sizes.hidden, features=sizes.features
    )
    captioner = make_captioner(decoder, vocabulary, setting.seed)
    data = CaptionData(captions, make_noise(setting, photos, sizes.features), vocabulary)
    plain = PlainPooled.like(captioner)
    return training_pair(
        captioner,
        data,
        plain,
        lambda features, photo, words: plain.loss(features[photo], words),
        sizes,
        pooled_flops,
    )
