"""What the templates of the admin may use."""
