"""Dataset registry, record format, builders and the input pipeline."""
