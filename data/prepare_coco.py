"""Fetch a part of COCO: `python data/prepare_coco.py --images 5000 --seed 0`."""

import sys

from captioner.commands.data import main

if __name__ == "__main__":
    main(["coco", *sys.argv[1:]])
