"""Essays scored by people (Charikar et al.'s appendix on text): regression on texts of several prompts."""
