"""The experiments of Hochreiter and Schmidhuber 1997 and its successors, repeated."""
