"""What the verbs of the study share."""
