"""Predictions of other papers, each simulated in a module of its own: one equation, one small world, one verdict."""
