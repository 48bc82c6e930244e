"""Images: small convolutional networks teach a linear head on a pretrained network (CIFAR-10, EfficientNet-Lite)."""
