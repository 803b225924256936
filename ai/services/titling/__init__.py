"""Finding titles: what of a conversation is read, the rule, the model, and what no title may be."""
