"""Stages, mathematics and experiments of the weak-to-strong generalization artifact."""
