"""The code behind *Inside the LSTM*: a recurrent engine in NumPy to read, check and trust."""

from lstm_lesson.cells import LSTMState
from lstm_lesson.layers import GRU, LSTM, RNN, Linear

__all__ = ["GRU", "LSTM", "RNN", "LSTMState", "Linear"]
__version__ = "0.1.0"
