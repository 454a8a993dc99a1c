"""What triggers: kopf's watches put keys on the queue, its workers call the reconcilers. Nothing is decided here."""
