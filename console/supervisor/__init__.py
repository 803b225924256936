"""`make run`: the web server and a worker, looked after by one small process that knows nothing of Django."""
