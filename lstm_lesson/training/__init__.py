"""Training: losses, optimisers, what can be trained, sources of batches, and the one loop."""

from lstm_lesson.training.batches import Fresh, Shuffled, Stream
from lstm_lesson.training.loop import History, Run, fit
from lstm_lesson.training.losses import log_softmax, mean_squared_error, softmax_cross_entropy
from lstm_lesson.training.models import Batch, SequenceModel, TorchModel
from lstm_lesson.training.optim import (
    SGD,
    Adam,
    CosineSchedule,
    PlateauSchedule,
    clip_by_norm,
    clip_by_value,
)

__all__ = [
    "SGD",
    "Adam",
    "Batch",
    "CosineSchedule",
    "Fresh",
    "History",
    "PlateauSchedule",
    "Run",
    "SequenceModel",
    "Shuffled",
    "Stream",
    "TorchModel",
    "clip_by_norm",
    "clip_by_value",
    "fit",
    "log_softmax",
    "mean_squared_error",
    "softmax_cross_entropy",
]
