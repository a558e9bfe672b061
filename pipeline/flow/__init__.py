"""The main job as a list of steps that every command shares."""
