"""What `python -m pipeline.new` writes."""
