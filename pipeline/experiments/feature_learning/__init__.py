"""Oh, Song and Yun 2025: a linear teacher and a ReLU student on patches with easy and hard signals, fully synthetic."""
