"""`python caption.py` is the same as `captioner caption`."""

from captioner.commands.caption import main

if __name__ == "__main__":
    main()
