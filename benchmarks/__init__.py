"""Speed and memory of captioner, always beside the usual way, in the same run.

    python -m benchmarks            all of it, in minutes; records go to benchmarks/records
    python -m benchmarks --quick    under a minute; the last line is one JSON object of ratios

Each benchmark is a file that says what both ways do; the usual ways are in `benchmarks.plain`.
"""
