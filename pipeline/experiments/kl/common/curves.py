"""The grid of students trained by AdamW: losses, learning rates and corruptions of the weak labels."""

from pipeline.experiments.kl.settings import Curves

LOSSES = ("cross_entropy", "reverse_kl")
CURVE_PANEL = "pretrained"


def grid(curves: Curves) -> list[tuple[str, float, float, float]]:
    """Loss, learning rate, noise and sharpening: every learning rate on clean labels, the first on corrupted ones."""
    rates, first = curves.learning_rates, curves.learning_rates[0]
    corrupted = [(first, noise, 1.0) for noise in curves.noise] + [(first, 0.0, power) for power in curves.sharpening]
    cells = dict.fromkeys([(rate, 0.0, 1.0) for rate in rates] + corrupted)
    return [(loss, *cell) for loss in LOSSES for cell in cells]


def curve_name(loss: str, rate: float, noise: float, power: float) -> str:
    """Name of a curve in the bundle."""
    return f"curve.{loss}.{rate:g}.{noise:g}.{power:g}".replace(".", "_").replace("curve_", "curve.", 1)
