"""Cells -> the numbers that figures draw, tables list and claims are judged by."""
