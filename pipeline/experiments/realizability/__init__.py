"""Study: when does the equality of gain and misfit show?  Panel b over seeds, pretraining epochs and schedules."""
