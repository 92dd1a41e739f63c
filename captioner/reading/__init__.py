"""Networks that read a whole text, and the four shapes of input and output.

networks    bag of words; deep and bidirectional readers; the reader of left-out words
learning    how one of them learns to answer questions
shapes      one-to-one, one-to-many, many-to-one, many-to-many: an example of each
__main__    `python -m captioner.reading` teaches them all and prints a table
"""
