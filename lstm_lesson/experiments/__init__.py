"""What the book measures: specifications, the runs, where their rows are kept.

`specs` says what is run, `runs` does one of them, `sweep` all that is missing, `store` keeps the
rows and `statistics` reads them. The command is ``lstm-lesson experiments``.
"""
