"""The one error that people are meant to read."""


class InputError(Exception):
    """Something given to the program cannot be used: a file, an option, a folder.

    The message names what it was and says what to do about it. Entry points print the message
    alone, without a traceback, and leave with exit code 2.
    """
