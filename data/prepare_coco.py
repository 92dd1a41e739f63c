"""Fetch part of COCO 2017 into a folder: `python data/prepare_coco.py --images 5000 --seed 0`."""

import sys

import tyro

from captioner.coco import prepare_coco
from captioner.errors import InputError

if __name__ == "__main__":
    try:
        print(f"wrote {tyro.cli(prepare_coco)}")
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
