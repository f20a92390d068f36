"""DeepLab: semantic image segmentation with atrous convolutions."""
