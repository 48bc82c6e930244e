"""Study: the language-model experiment on a ladder of Pythia shapes that it pretrains itself, on a GPU."""
