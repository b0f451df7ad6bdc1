"""Weights to and from PyTorch, Keras and the ONNX operators."""

from lstm_lesson.interop.keras import from_keras, to_keras, to_keras_layer
from lstm_lesson.interop.layouts import LAYOUTS, from_layout, to_layout
from lstm_lesson.interop.onnx import OnnxOperator, from_onnx, to_onnx
from lstm_lesson.interop.onnx_write import to_onnx_model
from lstm_lesson.interop.pytorch import from_torch, to_torch

__all__ = [
    "LAYOUTS",
    "OnnxOperator",
    "from_keras",
    "from_layout",
    "from_onnx",
    "from_torch",
    "to_keras",
    "to_keras_layer",
    "to_layout",
    "to_onnx",
    "to_onnx_model",
    "to_torch",
]
