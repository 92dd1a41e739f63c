"""Words so far and the photo -> scores of the next word.

Adding a decoder: a file with its class, and its line in `DECODERS`.
"""

from captioner.decoders.attention import AttentionDecoder
from captioner.decoders.base import Decoder, Hidden, WordDecoder
from captioner.decoders.grid import GridDecoder
from captioner.decoders.photo import PhotoDecoder
from captioner.decoders.pooled import PooledDecoder
from captioner.decoders.running import Memory

__all__ = [
    "DECODERS",
    "AttentionDecoder",
    "Decoder",
    "GridDecoder",
    "Hidden",
    "Memory",
    "PhotoDecoder",
    "PooledDecoder",
    "WordDecoder",
]

DECODERS: dict[str, type[PhotoDecoder]] = {
    "pooled": PooledDecoder,  # one vector of the photo, as the first state
    "attention": AttentionDecoder,  # soft attention over its places (Xu et al. 2015)
}
"""What writes a caption of a photo, by name."""
