"""What the verbs of regression share."""
