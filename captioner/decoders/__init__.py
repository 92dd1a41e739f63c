"""Words so far and the photo -> scores of the next word.

Adding a decoder: a file with its class, and its line in `DECODERS`.
"""

from captioner.decoders.attention import AttentionDecoder
from captioner.decoders.base import Decoder, Hidden, Memory
from captioner.decoders.pooled import PooledDecoder

__all__ = ["DECODERS", "AttentionDecoder", "Decoder", "Hidden", "Memory", "PooledDecoder"]

DECODERS: dict[str, type[PooledDecoder]] = {
    "pooled": PooledDecoder,  # one vector of the photo, as the first state
    "attention": AttentionDecoder,  # soft attention over its places (Xu et al. 2015)
}
"""What writes a caption of a photo, by name."""
