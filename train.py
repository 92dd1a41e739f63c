"""`python train.py` is the same as `captioner train`."""

from captioner.commands.train import main

if __name__ == "__main__":
    main()
