"""`python evaluate.py` is the same as `captioner evaluate`."""

from captioner.commands.evaluate import main

if __name__ == "__main__":
    main()
