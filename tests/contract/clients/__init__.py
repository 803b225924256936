"""What runs inside the clients' own environments: nothing here may import Django, or anything that `openai` does not need."""
