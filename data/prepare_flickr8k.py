"""Arrange your copy of Flickr8k: `python data/prepare_flickr8k.py FOLDER_OR_ZIP`."""

import sys

import tyro

from captioner.errors import InputError
from captioner.flickr8k import prepare_flickr8k

if __name__ == "__main__":
    try:
        folder = tyro.cli(prepare_flickr8k, config=(tyro.conf.PositionalRequiredArgs,))
        print(f"wrote {folder}")
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
