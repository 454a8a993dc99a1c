"""Names of contenders, and what all of them are given."""

MODELYARD = "modelyard"
PLAIN = "plain script"
PER_TRIAL = "a process a trial"

EVERYONE = (MODELYARD, PLAIN, PER_TRIAL)

FOLDS = 5
SEED = 42
"""Of the model, and of a sampler that has one."""
