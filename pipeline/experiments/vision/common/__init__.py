"""What several verbs of this experiment share."""
