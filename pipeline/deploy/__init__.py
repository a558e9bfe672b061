"""Deployments: rooms for plans, targets and the front door."""
