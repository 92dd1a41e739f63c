"""Words so far and the photo -> scores of the next word.

Adding a decoder: a file with its class, and its line in `DECODERS`.
"""

from captioner.decoders.adaptive import AdaptiveDecoder
from captioner.decoders.aoa import AoADecoder
from captioner.decoders.att2in import Att2inDecoder
from captioner.decoders.attention import AttentionDecoder
from captioner.decoders.base import Decoder, Hidden, WordDecoder
from captioner.decoders.grid import GridDecoder
from captioner.decoders.photo import PhotoDecoder
from captioner.decoders.pooled import PooledDecoder
from captioner.decoders.running import Memory
from captioner.decoders.updown import UpDownDecoder

__all__ = [
    "DECODERS",
    "AdaptiveDecoder",
    "AoADecoder",
    "Att2inDecoder",
    "AttentionDecoder",
    "Decoder",
    "GridDecoder",
    "Hidden",
    "Memory",
    "PhotoDecoder",
    "PooledDecoder",
    "UpDownDecoder",
    "WordDecoder",
]

DECODERS: dict[str, type[PhotoDecoder]] = {
    "pooled": PooledDecoder,  # one vector of the photo, as the first state
    "attention": AttentionDecoder,  # soft attention over its places (Xu et al. 2015)
    "adaptive": AdaptiveDecoder,  # which may look away from the photo (Lu et al. 2017)
    "att2in": Att2inDecoder,  # which sways no gate of the cell (Rennie et al. 2017)
    "updown": UpDownDecoder,  # by a cell of its own (Anderson et al. 2018)
    "aoa": AoADecoder,  # attention on attention, with heads (Huang et al. 2019)
}
"""What writes a caption of a photo, by name."""
