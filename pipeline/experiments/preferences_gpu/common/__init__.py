"""What several verbs of this study share."""
