"""Draw the default data set: `python data/prepare_scenes.py --images 6000 --seed 0`."""

import sys

from captioner.commands.data import main

if __name__ == "__main__":
    main(["scenes", *sys.argv[1:]])
