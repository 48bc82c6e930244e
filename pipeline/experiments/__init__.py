"""One package per experiment; in it one module per verb says what the verb means there."""
