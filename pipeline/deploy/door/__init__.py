"""The front door: what stands between users and one or more llama-servers on private sockets."""
