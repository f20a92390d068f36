"""How do ONNX and TFLite files come about, and how are they run?

`onnx`; TFLite by `tflite_rewrites` and `tflite_converter`, run by `tflite_runner`.
"""
