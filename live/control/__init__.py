"""What steers a run: commands, keys, the HTTP server and its page."""
