"""Where jobs run: today in child processes of this machine."""
