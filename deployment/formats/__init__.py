"""How does each format come about, and how is it run?

`saved_model`; `onnx`; TFLite by `tflite_rewrites` and `tflite_converter`, run by `tflite_runner`.
"""
