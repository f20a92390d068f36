"""Export, inference and multi-device deployment."""
