"""Exports the networks of a race as safetensors and ONNX."""
