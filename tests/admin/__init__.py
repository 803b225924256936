"""The pages of the admin, asked for over HTTP."""
