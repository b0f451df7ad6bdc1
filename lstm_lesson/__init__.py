"""The code behind *Inside the LSTM*: a recurrent engine in NumPy to read, check and trust."""

from lstm_lesson import gradcheck, interop
from lstm_lesson.cells import LSTMState
from lstm_lesson.layers import GRU, LSTM, RNN, Linear
from lstm_lesson.trace import trace

__all__ = ["GRU", "LSTM", "RNN", "LSTMState", "Linear", "gradcheck", "interop", "trace"]
__version__ = "0.1.0"
