"""Backbones, segmentation heads and the tensor operations they share."""
