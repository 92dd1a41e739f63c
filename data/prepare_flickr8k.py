"""Arrange your copy of Flickr8k: `python data/prepare_flickr8k.py FOLDER_OR_ZIP`."""

import sys

from captioner.commands.data import main

if __name__ == "__main__":
    main(["flickr8k", *sys.argv[1:]])
