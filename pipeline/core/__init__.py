"""What every stage stands on: settings, artefacts, random streams, workers, errors."""
