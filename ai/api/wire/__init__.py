"""What goes over the wire: the shapes of requests and answers, and rows as the Assistants API's JSON."""
