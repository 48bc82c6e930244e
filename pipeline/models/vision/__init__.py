"""Networks of images: the pretrained EfficientNet-Lite, and small convolutional networks."""
