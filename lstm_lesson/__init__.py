"""The code behind *Inside the LSTM*: a recurrent engine in NumPy to read, check and trust."""

from lstm_lesson import interop
from lstm_lesson.engine.equations import LSTMState
from lstm_lesson.engine.layers import GRU, LSTM, RNN, Linear
from lstm_lesson.inspect import gradcheck
from lstm_lesson.inspect.tracing import trace

__all__ = ["GRU", "LSTM", "RNN", "LSTMState", "Linear", "gradcheck", "interop", "trace"]
__version__ = "0.2.0"
