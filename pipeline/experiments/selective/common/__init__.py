"""What several verbs of the experiment share."""
