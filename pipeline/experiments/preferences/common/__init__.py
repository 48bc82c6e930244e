"""What the verbs of this study share: settings, text sets, models, losses, students."""
