"""The engine: find llama.cpp, know it exactly, start it, talk to it, stop it."""
