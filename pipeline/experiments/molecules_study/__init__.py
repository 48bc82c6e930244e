"""Study: the molecules experiment with teachers finetuned whole, over several seeds of pretraining and finetuning."""
