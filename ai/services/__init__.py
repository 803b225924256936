"""What a person can do: one function each, whatever the door."""
