"""Other people's clients against our server: a real web server and worker, the official SDKs, and a scripted model."""
